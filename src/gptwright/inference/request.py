"""One text to be written: what was given, what is asked for, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling

Finish = Literal["stop", "length", "abort", "error"]


@runtime_checkable
class Allocation(Protocol):
    """Where a request's keys and values lie, and for how many tokens there is room."""

    @property
    def room(self) -> int: ...

    def addresses(self, first: int, end: int) -> Sequence[int]:
        """Of the tokens from position `first` up to `end`; a range where they lie side by side."""
        ...


@dataclass(eq=False)
class Request:
    """Reading a prompt and writing an answer are one thing: the tokens of `ids` from `computed` on are to be read, and
    where none is left the next is drawn."""

    ids: list[int]
    """the prompt, and the answer so far"""
    sampling: Sampling
    seed: int
    prompt: int = 0
    """how many of the ids were given"""
    recall: int | None = None
    """how many of the first ids need not be read again where memory has them; all by default. Who wants to know what
    the model says at a place needs it read."""
    computed: int = 0
    """tokens whose keys and values are in memory"""
    lease: Allocation | None = None
    drafts: list[int] = field(default_factory=list[int])
    """tokens that may come next, to be checked in one step"""
    finish: Finish | None = None
    error: GptwrightError | None = None
    """why it cannot be gone on with"""
    logprobs: list[float] = field(default_factory=list[float])
    """of the answer's tokens, the model's own, where asked for"""
    sampled_logprobs: list[float] = field(default_factory=list[float])
    """of the answer's tokens under the temperature at which they were drawn, where asked for"""
    top: list[dict[int, float]] = field(default_factory=list[dict[int, float]])
    """likeliest tokens at every place of the answer, where asked for"""
    limit: int = 0
    """tokens of prompt and answer together at most; without room for an answer the prompt is only read"""
    noted_from: int | None = None
    """place of the first given token whose log-probability is wanted"""
    given_logprobs: list[float] = field(default_factory=list[float])
    given_top: list[dict[int, float]] = field(default_factory=list[dict[int, float]])
    state: Any = None
    """what the output matrix sees at the last token of a prompt that is only read"""
    arrival: int = -1
    """its number in the order in which requests came"""

    def __post_init__(self) -> None:
        self.prompt = self.prompt or len(self.ids)
        self.limit = self.limit or self.prompt + self.sampling.max_tokens

    @property
    def mean_logprob(self) -> float:
        """Of the answer's tokens, by which answers are compared; 0 for an empty one."""
        return sum(self.logprobs) / max(len(self.logprobs), 1)

    @property
    def answer(self) -> list[int]:
        """What was written so far, the id that ended it included."""
        return self.ids[self.prompt :]

    @property
    def unread(self) -> int:
        """Tokens to be read before the next can be drawn: one while an answer is written."""
        return len(self.ids) - self.computed

    @property
    def longest(self) -> int:
        """Tokens that have to be in memory at most: the last one drawn is never read."""
        return max(self.prompt, self.limit - 1)

    @property
    def recallable(self) -> int:
        """How many of the first ids may be found in memory: never all, as something must be read to draw the next."""
        return min(len(self.ids) - 1, len(self.ids) if self.recall is None else self.recall)
