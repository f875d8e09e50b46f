"""What the tasks of pretraining are made from, and what they offer beside `Task`: how much text a run reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gptwright.text.pack import TokenFile
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.task import B, Task


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


@runtime_checkable
class PretrainingTask(Task[B], Protocol[B]):
    """Made from `TaskInputs`. Raises `InputError` when the text does not suffice, `ArtifactError` when it is of another
    kind."""

    fewest_rows: int
    """of all steps: no more processes than that can share them"""

    def tokens(self, steps: int) -> int:
        """Tokens that the first `steps` steps read."""
        ...

    def epochs(self, steps: int) -> float:
        """How often `steps` steps go through the training text."""
        ...

    def measure(self) -> Mapping[str, float | str]:
        """Metrics of the finished model on more of the held-out text; words say how a number was found."""
        ...
