"""A blind comparison: two models answer the same prompts, and a judge does not know which of them said what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gptwright.alignment.prompts import Prompt, prompts_within, text_of
from gptwright.alignment.rankings import ranked_ids
from gptwright.evaluation.preference import win_rate
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.store.ranking_lines import Ranking
from gptwright.text.jsonl import Line
from gptwright.text.rule_labeller import RULES, ranks
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids
from gptwright.training.batches import key, permutation
from gptwright.training.evaluation import Estimate

Ranker = Callable[[Line], list[int] | None]
"""the ranks of a line's two answers, 1 is best and equal is a tie; None for a line that cannot be judged"""


def answer(
    models: dict[str, Model], asked: Sequence[tuple[Line, list[Message]]], sampling: Sampling, seed: int
) -> list[Line]:
    """What two models, by name, say to every prompt that fits both; the order in which a line has them is drawn. A
    model without a chat template continues the prompt's messages as one text.

    A prompt that does not fit one of them is left out, counted and said. Raises `InputError` when no prompt is left.
    """
    intake, prompts = Intake("evaluate"), list[Prompt]()
    for name, model in models.items():
        if not _chats(model):
            say(f"{name} has no chat template: it continues the prompts as texts")
        prompts = prompts_within(asked, _reads(model), model.context - sampling.max_tokens, intake)
        asked = [(prompt.line, prompt.messages) for prompt in prompts]
    intake.require(prompts, "prompts that both models can read and answer", "Lower --max-tokens, or shorten them.")
    intake.report(f"{len(prompts):,} prompts, seed {seed}")
    sampling, said = replace(sampling, seed=seed), dict[str, list[str]]()
    for name, model in models.items():
        read = prompts_within(asked, _reads(model), model.context, intake)
        said[name] = model.answers(read, sampling, starts_text=_chats(model))
    found: list[Line] = []
    for number, prompt in enumerate(prompts):
        names = [[*models][place] for place in permutation(2, key("blind", seed, number))]
        line = prompt.fields | {"answers": [said[name][number] for name in names], "models": names}
        found.append(Line(line, prompt.line.where))
    return found


def _chats(model: Model) -> bool:
    return model.tokenizer.special_tokens.chat_template is not None


def _reads(model: Model) -> Callable[[list[Message]], list[int]]:
    """What the model is given of messages, as ids."""
    if _chats(model):
        return lambda messages: prompt_ids(messages, model.tokenizer)
    return lambda messages: model.text_ids("\n\n".join(message["content"] for message in messages))


def by_rule(rule: str) -> Ranker:
    """The labeller of this name in `RULES`."""
    return lambda line: ranks(line, line["answers"], RULES[rule])


def by_reward(scorer: SequenceScorer) -> Ranker:
    """A reward model. What differs in the last bits of its scores is a tie."""

    def judge(line: Line) -> list[int] | None:
        ranking = Ranking(line["messages"], line["answers"], [1, 1])
        rows = ranked_ids(ranking, scorer).rows
        if len(rows) < 2:
            return None
        first, second = (round(score, 3) for score in scorer.logits(rows)[:, 0].tolist())
        return [1 + (first < second), 1 + (second < first)]

    return judge


def judged(lines: Sequence[Line], judge: Ranker, labeller: str) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Each line with its ranking, which `reward` can learn from and in which no model is named. Equal answers tie.

    Lines that the judge can say nothing of are left out, counted and said.
    """
    intake, count = Intake("evaluate"), 0
    for line in lines:
        with intake.dropping(line.where):
            first, second = line["answers"]
            found = [1, 1] if first == second else judge(line)
            if found is None:
                intake.drop("with an answer that is too long for the judge", line.where)
                continue
            count += 1
            fields = {name: value for name, value in line.items() if name != "models"}
            yield line, fields | {"ranks": found, "labeller": labeller}
    if intake.dropped.counts:
        intake.report(f"{count:,} prompts judged")


def wins(lines: Sequence[Line], found: Sequence[list[int]], first: str) -> Estimate:
    """Share of the ranks in which the model called `first` is better than the other, ties half, by prompt."""
    places = [line["models"].index(first) for line in lines]
    mine, theirs = ([-ranks[place ^ side] for ranks, place in zip(found, places, strict=True)] for side in (0, 1))
    return win_rate(mine, theirs, [text_of(line["messages"]) for line in lines])
