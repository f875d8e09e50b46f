"""The four task shapes of GPT-1 (Radford et al. 2018, §3.3 and figure 1): every task as rows of one running text.

    classification    [Start] text [Extract]
    entailment        [Start] premise [Delim] hypothesis [Extract]
    similarity        [Start] first [Delim] second [Extract], and [Start] second [Delim] first [Extract]
    multiple-choice   [Start] context [Delim] choice [Extract], for every choice

An encoder's own tokens stand in the same places, [CLS] a [SEP] b [SEP], and it reads two texts in one order only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import ConfigError, InputError, nearest
from gptwright.tokenizers.tokenizer import Tokenizer

TEXTS = {
    "classification": "one text",
    "entailment": "two texts, a premise and a hypothesis",
    "similarity": "two texts",
    "multiple-choice": "a context and two choices or more",
}
"""what each shape is made of"""
FEWEST = {"classification": 1, "entailment": 2, "similarity": 2, "multiple-choice": 3}


class Marks(NamedTuple):
    """The ids that stand before, between and after the texts."""

    start: int
    delim: int
    extract: int


@dataclass(frozen=True, kw_only=True)
class TaskShape:
    """A task's shape, and the special tokens that it is written with; a model's folder remembers it."""

    name: str
    start: str = "<|start|>"
    delim: str = "<|delim|>"
    extract: str = "<|extract|>"
    both_orders: bool = False
    """two texts are read in both orders, and the states added"""
    middle: float = 0.0
    """of the numbers that are learned: what the head gives is `spread` of them above it"""
    spread: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in TEXTS:
            raise ConfigError("a task shape", f"'{self.name}'", nearest(self.name, TEXTS))

    @classmethod
    def of_encoder(cls, name: str) -> "TaskShape":
        """With an encoder's own tokens, which tell the two texts apart by segments."""
        return cls(name=name, start="[CLS]", delim="[SEP]", extract="[SEP]")

    @property
    def tokens(self) -> tuple[str, str, str]:
        """As texts, in the order in which they stand."""
        return self.start, self.delim, self.extract

    def marks(self, tokenizer: Tokenizer) -> Marks:
        """Their ids. Raises `ArtifactError` when the tokenizer lacks one."""
        return Marks(*map(tokenizer.special_id, self.tokens))

    def check(self, texts: Sequence[object]) -> None:
        """Raises `InputError` unless there are as many texts as the shape has."""
        fewest = FEWEST[self.name]
        if len(texts) < fewest or (len(texts) > fewest and self.name != "multiple-choice"):
            raise InputError(f"{TEXTS[self.name]}, for {self.name}", f"{len(texts)}", "Give as many.")

    def rows(self, texts: Sequence[Sequence[int]], marks: Marks) -> list[list[int]]:
        """What is read of one example, whose texts are given as ids: a row, one for each order, or one for each choice.

        Raises as `check` does.
        """
        self.check(texts)
        first, *others = texts
        made = [_row([first, other], marks) for other in others] or [_row([first], marks)]
        return [*made, _row([*others, first], marks)] if self.both_orders else made

    def fitted(self, texts: Sequence[Sequence[int]], context: int) -> list[list[int]]:
        """The texts, so short that every row fits: the longer of two is cut at its end until it does."""
        self.check(texts)
        first, *others = (list(text) for text in texts)
        if not others:
            return [first[: context - 2]]
        room = context - 3
        longest = max(map(len, others))
        first = first[: max(room - longest, room - room // 2)]
        return [first, *(other[: room - len(first)] for other in others)]


def _row(texts: Sequence[Sequence[int]], marks: Marks) -> list[int]:
    row = [marks.start, *texts[0]]
    for text in texts[1:]:
        row += [marks.delim, *text]
    return [*row, marks.extract]


def segments(ids: Int[Tensor, "B T"], delim: int) -> Int[Tensor, "B T"]:
    """Of an encoder's rows: 0 up to the first delimiter and with it, 1 behind it."""
    is_delim = (ids == delim).long()
    return (is_delim.cumsum(1) - is_delim).clamp(max=1)
