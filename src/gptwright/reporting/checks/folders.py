"""Do the models of one story read and write the same way? Told from the folders that their stages left."""

from pathlib import Path

from gptwright.reporting.checks.finding import Finding
from gptwright.reporting.collect import Run, Stage
from gptwright.reporting.lineage import POLICIES
from gptwright.reporting.wording import percent
from gptwright.tokenizers.tokenizer import Tokenizer

MODEL = "model"
TALKS = ("sft", "reward", *POLICIES)
MOST_TIED = 0.5


def check_folders(run: Run) -> list[Finding]:
    """All findings on the models' tokenizers, and on the rankings that the reward model was given."""
    stages = [stage for stage in run.lineage if stage.role in TALKS and stage.complete]
    found = [one_template(stages), ties(run.stage("reward"))]
    return [finding for finding in found if finding]


def one_template(stages: list[Stage]) -> Finding | None:
    """All models of a story must be given a conversation in the same form."""
    templates = {stage.name: _template(stage.path / MODEL) for stage in stages if (stage.path / MODEL).is_dir()}
    if len(templates) < 2:
        return None
    first, *others = templates
    different = [name for name in others if templates[name] != templates[first]]
    if different:
        return Finding("ill", "Models of one story read conversations in different forms",
                       f"the chat template of {', '.join(different)} is not that of {first}",
                       f"Train {different[0]} again on the model of {first}.", "template-mismatch")  # fmt: skip
    return Finding("healthy", "All models read conversations in the same form", ", ".join(templates))


def ties(reward: Stage | None) -> Finding | None:
    """A ranking of which all answers tie teaches nothing."""
    share = reward.metric("all_tied") if reward else None
    if share is None:
        return None
    numbers = f"{percent(share, 1)} of the rankings hold no better and no worse answer, at most {percent(MOST_TIED)}"
    if share > MOST_TIED:
        return Finding("watch", "Most rankings are ties: they teach nothing", numbers,
                       "Rank answers that differ: more of them a prompt, or at a higher temperature.",
                       "tie-only-data")  # fmt: skip
    return Finding("healthy", "The rankings tell answers apart", numbers)


def pad_ends_answers(stage: Stage) -> bool:
    """Whether the token that fills batches is one that ends an answer."""
    folder = stage.path / MODEL
    if not folder.is_dir():
        return False
    tokenizer = Tokenizer.load(folder)
    return tokenizer.pad_id in tokenizer.stop_ids


def _template(folder: Path) -> str | None:
    return Tokenizer.load(folder).special_tokens.chat_template
