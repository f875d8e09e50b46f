"""What people said of answers, rankings, thumbs, edits and demonstrations, all as rankings."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gptwright.alignment.demonstrations import Conversation, read_conversations
from gptwright.alignment.prompts import text_of
from gptwright.configs.improve import FeedbackOptions
from gptwright.foundations.intake import Intake
from gptwright.foundations.runs import StageFolder
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.model import Model
from gptwright.stages.stored_labels import LEARNED, stored_labels
from gptwright.store.feedback_file import Feedback, read_feedback
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.text.heldout import normalised
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids


@dataclass(frozen=True)
class HumanFeedback:
    """Ranked answers, and answers that are better than what the model says; of both, whose answers were judged."""

    rankings: list[Ranking]
    shown: list[Conversation]
    models: Counter[str]

    @classmethod
    def read(cls, config: FeedbackOptions, folder: StageFolder, intake: Intake) -> "HumanFeedback":
        """`intake` is told of what says nothing. Raises as the readers of the files do."""
        ranked, told, rated = (stored_labels(folder, config.from_store, format) for format in LEARNED)
        rankings = [ranking for path in (*config.rankings, *ranked) for ranking in read_rankings(path)]
        shown = [talk for path in (*config.demonstrations, *told) for talk in read_conversations(path, intake)]
        thumbs = [thumb for path in rated for thumb in read_feedback(path)]
        models = Counter(str(ranking.line["model"]) for ranking in rankings if ranking.line.get("model"))
        models.update(thumb.model for thumb in thumbs)
        for found in _of_thumbs(thumbs, intake):
            if isinstance(found, Ranking):
                rankings.append(found)
            else:
                shown.append(found)
        return cls(rankings, shown, models)

    def ranked(self, model: Model, sampling: Sampling, intake: Intake) -> list[Ranking]:
        """All of it as rankings: an answer that was shown stands before what the model says itself (Chen et al. 2024,
        SPIN). `intake` is told of prompts that leave no room for an answer, and of those that have none."""
        asked: list[tuple[Conversation, list[int]]] = []
        for talk in self.shown:
            with intake.dropping(talk.where):
                prompt, answered = prompt_ids(talk.asked, model.tokenizer), len(talk.asked) < len(talk.messages)
                if answered and len(prompt) <= model.context - sampling.max_tokens:
                    asked.append((talk, prompt))
                else:
                    intake.drop("shown with no answer, or a prompt that leaves no room for one", talk.where)
        said = model.answers([prompt for _, prompt in asked], sampling)
        own = [Ranking(talk.asked, [talk.messages[len(talk.asked)]["content"], text], [1, 2], talk.split)
               for (talk, _), text in zip(asked, said, strict=True)]  # fmt: skip
        return [*self.rankings, *own]


def _of_thumbs(thumbs: Sequence[Feedback], intake: Intake) -> Iterator[Ranking | Conversation]:
    """Answers to one prompt that were rated up stand before those that were rated down; where only up, they are
    shown. What is only bad says nothing of what is better."""
    rated: dict[str, dict[str, list[tuple[Message, ...]]]] = defaultdict(lambda: {"up": [], "down": []})
    for thumb in thumbs:
        rated[normalised(text_of(thumb.messages[:-1]))][thumb.rating].append(thumb.messages)
    for talks in rated.values():
        good, bad = talks["up"], talks["down"]
        if good and bad:
            answers = [talk[-1]["content"] for talk in (*good, *bad)]
            yield Ranking(list(good[0][:-1]), answers, [1] * len(good) + [2] * len(bad))
        elif good:
            yield from (Conversation(list(talk)) for talk in good)
        else:
            intake.drop("rated down, with no better answer to the same prompt", count=len(bad))


def line_of(ranking: Ranking, split: str) -> dict[str, Any]:
    """As `read_rankings` reads it."""
    labeller = {"labeller": ranking.labeller} if ranking.labeller else {}
    beside = {name: value for name, value in ranking.line.items() if name not in ("prompt", "chosen", "rejected")}
    return beside | {"messages": ranking.messages, "answers": ranking.answers, "ranks": ranking.ranks} | labeller | {
        "split": split}  # fmt: skip
