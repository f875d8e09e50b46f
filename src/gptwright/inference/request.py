"""A generation request: its prompt, its sampling settings, and its progress."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.content import Content
from gptwright.inference.sampling import Sampling

FinishReason = Literal["stop", "length", "abort", "error"]


@runtime_checkable
class Allocation(Protocol):
    """Addresses in the key-value cache that a request owns."""

    @property
    def room(self) -> int: ...

    def addresses(self, first: int, end: int) -> Sequence[int]:
        """Cache addresses of the tokens from position `first` up to `end`; a range when they are contiguous."""
        ...


@dataclass(eq=False)
class Request:
    """Prefill and decode are one thing: the tokens of `ids` from `computed` on are to be read, and when none is left
    the next token is sampled."""

    ids: list[int]
    """the prompt, then the response so far"""
    sampling: Sampling
    seed: int
    prompt: int = 0
    """number of prompt tokens"""
    max_reused: int | None = None
    """at most so many of the first ids may come from the prefix cache; None: no limit. Prompt log-probabilities need
    their tokens computed."""
    content: Mapping[int, Content] = field(default_factory=dict[int, Content])
    """what stands at placeholder positions of the prompt, such as an image's embeddings"""
    computed: int = 0
    """tokens whose keys and values are in the cache"""
    allocation: Allocation | None = None
    drafts: list[int] = field(default_factory=list[int])
    """proposed next tokens, verified together in one step"""
    finish: FinishReason | None = None
    error: GptwrightError | None = None
    """why the request failed"""
    logprobs: list[float] = field(default_factory=list[float])
    """of the response's tokens, at temperature 1, if `Sampling.needs_logprobs`"""
    sampled_logprobs: list[float] = field(default_factory=list[float])
    """of the response's tokens at the sampling temperature, if `Sampling.sampled_logprobs`"""
    top: list[dict[int, float]] = field(default_factory=list[dict[int, float]])
    """likeliest tokens at each position of the response: id to log-probability"""
    limit: int = 0
    """most tokens of prompt and response together; when it is the prompt's length, the prompt is only read"""
    logprobs_from: int | None = None
    """position of the first prompt token whose log-probability is wanted"""
    following: int | None = None
    """the token after the prompt, whose log-probability is then wanted too; it is not read"""
    prompt_logprobs: list[float] = field(default_factory=list[float])
    prompt_top_logprobs: list[dict[int, float]] = field(default_factory=list[dict[int, float]])
    state: Any = None
    """final hidden state of a prompt that is only read"""
    arrival: int = -1
    """sequence number, in order of arrival"""

    def __post_init__(self) -> None:
        self.prompt = self.prompt or len(self.ids)
        self._prompt_keys: list[Hashable] = [
            (id, self.content[i].key) if i in self.content else id
            for i, id in enumerate(self.ids if self.content else ())
        ]
        self.limit = self.limit or self.prompt + self.sampling.max_tokens

    @property
    def keys(self) -> Sequence[Hashable]:
        """What the prefix cache compares: the ids, and at placeholder positions the hash of their content too."""
        return self._prompt_keys + self.ids[self.prompt :] if self.content else self.ids

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of the response's tokens, by which `best_of` ranks; 0 for an empty response."""
        return sum(self.logprobs) / max(len(self.logprobs), 1)

    def targets(self, first: int, last: int) -> Sequence[int]:
        """The prompt's tokens that positions first … last - 1 predict, and the one that follows the prompt."""
        known = self.ids[first + 1 : min(last + 1, self.prompt)]
        return known if self.following is None or not first < self.prompt <= last else [*known, self.following]

    @property
    def answer(self) -> list[int]:
        """The ids generated so far, the stop id included."""
        return self.ids[self.prompt :]

    @property
    def uncomputed(self) -> int:
        """Tokens to compute before the next can be sampled: 1 while decoding."""
        return len(self.ids) - self.computed

    @property
    def max_cached(self) -> int:
        """Most tokens that will be in the cache: the last sampled one is never read."""
        return max(self.prompt, self.limit - 1)

    @property
    def reusable(self) -> int:
        """How many of the first ids may come from the prefix cache: never all, one is read to sample the next."""
        return min(len(self.ids) - 1, len(self.ids) if self.max_reused is None else self.max_reused)
