"""What every lesson offers to the stage that trains: losses, a look on the way, a measure at the end.

A lesson is a pure function of its material and the step, so that a killed run goes on as if it had not been killed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from gptwright.text.pack import TokenFile
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.batch_shard import BatchShard


@dataclass(frozen=True, kw_only=True)
class TaskInputs:
    """A model, its tokenizer, its text, and how much of it a step takes."""

    network: Any
    tokenizer: Tokenizer
    train: TokenFile
    heldout: TokenFile
    batch_schedule: BatchSizeSchedule
    """sequences of every step"""
    length: int
    """tokens a sequence"""
    seed: int
    by_document: bool = False
    """whether a decoder reads each document as if it stood alone, wherever a window holds several"""


@dataclass(frozen=True)
class EvalReport:
    """Figures on a part of the held-out text, and texts that show what the model does with it."""

    metrics: dict[str, float]
    samples: list[str]


class Task(Protocol):
    """Made from `TaskInputs`. Raises `InputError` when the text does not suffice, `ArtifactError` when it is of another
    kind."""

    fewest_rows: int
    """of all steps: no more processes than that can share them"""

    def tokens(self, steps: int) -> int:
        """What the first `steps` steps read."""
        ...

    def losses(self, step: int, shard: BatchShard) -> Iterator[Tensor]:
        """This share of the step's loss, a part a piece; those of all shares add up to the mean."""
        ...

    def epochs(self, steps: int) -> float:
        """How often `steps` steps go through the training text."""
        ...

    def look(self, step: int) -> EvalReport: ...

    def measure(self) -> Mapping[str, float | str]:
        """Figures on the held-out text, at the end; words say how a number was found."""
        ...
