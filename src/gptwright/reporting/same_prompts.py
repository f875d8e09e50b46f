"""What several runs say to the same prompts, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gptwright.reporting.collect import Run
from gptwright.reporting.page import conversations
from gptwright.reporting.samples import split_openings
from gptwright.reporting.wording import MISSING

MOST = 8
"""prompts of a kind"""


@dataclass(frozen=True)
class SamePrompts:
    """A heading, and of every prompt what each run said to it."""

    title: str
    note: str
    answers: list[tuple[str, list[str]]]


def same_prompts(runs: Sequence[Run]) -> list[SamePrompts]:
    """Kinds of prompts of which two runs at least were given the same."""
    kinds = [
        ("One question", "to the last stage that answers", [_asked(run) for run in runs]),
        ("Held-out prompts", "sampled from the policy", [_answered(run) for run in runs]),
        ("After the same opening", "by the pretrained model, at its end", _written(runs)),
    ]
    found = [SamePrompts(title, note, _beside(said)) for title, note, said in kinds]
    return [each for each in found if each.answers]


def _beside(said: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    prompts = dict.fromkeys(prompt for answers in said for prompt in answers)
    shared = [prompt for prompt in prompts if sum(prompt in answers for answers in said) > 1]
    return [(prompt, [answers.get(prompt, MISSING) for answers in said]) for prompt in shared[:MOST]]


def _asked(run: Run) -> dict[str, str]:
    return {str(line["question"]): str(line["answer"]) for line in run.asked}


def _answered(run: Run) -> dict[str, str]:
    return {prompt: after for prompt, _, after in conversations(run) if prompt}


def _written(runs: Sequence[Run]) -> list[dict[str, str]]:
    """By opening: the words with which the texts of all steps of all runs begin."""
    everything = split_openings([sample for run in runs for sample in run.samples])
    found: list[dict[str, str]] = []
    for run in runs:
        texts, everything = everything[: len(run.samples)], everything[len(run.samples) :]
        found.append({opening: text.lstrip() for opening, text in texts[-1] if opening} if texts else {})
    return found
