"""Examples in front of a question: which ones they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, Protocol, runtime_checkable

from gptwright.evaluation.harness.templates import Item, Templates
from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import Line


@dataclass(frozen=True)
class Shots:
    """How many examples, and how they are chosen."""

    count: int
    seed: int = 1234
    draw: Literal["task", "document"] = "task"
    """whether all documents share their examples, which are then read once, or each has its own, as in GPT-3 §2"""
    shuffle_labels: bool = False
    """whether the examples' answers are drawn at random: what is gained by such examples, answers do not explain"""
    shuffle_images: bool = False
    """whether each question has the images of another: what is right then, images do not explain"""


@runtime_checkable
class Examples(Protocol):
    """The examples for each document, never the document itself."""

    def of(self, line: Line) -> list[Item]:
        """The examples that stand in front of this document."""
        ...


def examples_of(pool: Sequence[Line], templates: Templates, shots: Shots) -> Examples:
    """Examples of the pool, or those that every document brings with it. Raises `InputError` for too small a pool."""
    field = templates.task.fewshot_config.samples
    return OwnExamples(field, templates, shots) if isinstance(field, str) else PoolExamples(pool, templates, shots)


class OwnExamples:
    """The first so many that stand in a field of the document: each has a rule of its own to show."""

    def __init__(self, field: str, templates: Templates, shots: Shots) -> None:
        self._field, self._templates, self._shots = field, templates, shots
        self._labels = Random(shots.seed)

    def of(self, line: Line) -> list[Item]:
        samples = line.get(self._field)
        if not isinstance(samples, list) or len(samples) < self._shots.count:
            got = f"{len(samples)}" if isinstance(samples, list) else "none"
            raise InputError(f"at least {self._shots.count} examples in the field {self._field} of {line.where}",
                             got, "Ask for fewer --shots.")  # fmt: skip
        items = [self._templates.item(Line(sample, f"{self._field} of {line.where}")) for sample in samples]
        chosen = items[: self._shots.count]
        if not self._shots.shuffle_labels:
            return chosen
        return [replace(item, targets=self._labels.choice(items).targets) for item in chosen]


class PoolExamples:
    """Examples of the task's own documents.

    Drawn for each document, they are those that lm-evaluation-harness draws with the same seed.
    """

    def __init__(self, pool: Sequence[Line], templates: Templates, shots: Shots) -> None:
        """Raises `InputError` when the pool is too small."""
        task = templates.task
        self._count = shots.count + task.shots_are_evaluated if shots.count else 0
        if self._count > len(pool):
            raise InputError(f"at least {self._count} documents to give {shots.count} examples for {task.task}",
                             f"{len(pool)}", "Ask for fewer --shots, or add documents.")  # fmt: skip
        self._pool, self._templates, self._shots = pool, templates, shots
        self._first = task.fewshot_config.sampler == "first_n"
        self._random = Random(shots.seed)
        self._labels = Random(shots.seed + 1)  # of the same seed they would be drawn from the examples' own places
        self._shared = self._chosen() if shots.draw == "task" else None

    def of(self, line: Line) -> list[Item]:
        chosen = self._chosen() if self._shared is None else self._shared
        return [example for example in chosen if example.line != line][: self._shots.count]

    def _chosen(self) -> list[Item]:
        lines = self._pool[: self._count] if self._first else self._random.sample(self._pool, self._count)
        items = [self._templates.item(line) for line in lines]
        return [self._with_another_answer(item) for item in items] if self._shots.shuffle_labels else items

    def _with_another_answer(self, item: Item) -> Item:
        """A choice drawn at random (Min et al. 2022), or the answer of another document."""
        if not item.choices:
            return replace(item, targets=self._templates.item(self._labels.choice(self._pool)).targets)
        place = self._labels.randrange(len(item.choices))
        targets = item.targets if len(item.contexts) > 1 else [item.choices[place]]
        return replace(item, targets=targets, right=[place])
