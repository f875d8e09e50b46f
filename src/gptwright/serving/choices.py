"""All replies to one request, written side by side: what the worker takes pieces from, and the caller puts together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gptwright.inference.sampler import derive_seed
from gptwright.inference.sampling import Sampling

if TYPE_CHECKING:
    from gptwright.inference.stream import Chunk, Stream, TokenLogprob

IndexedChunk = tuple[int, "Chunk"]


class OpenStream(Protocol):
    """Opens one reply to a prompt."""

    def __call__(self, sampling: Sampling, *, seed: int | None) -> "Stream": ...


class ChoiceStreams:
    """As many to each prompt as `sampling` wants written, each piece with its number: first come those of the first
    prompt. Of each prompt reply i is drawn with the i-th seed, so it is the same whatever other prompts there are.

    Raises what opening one of them raises.
    """

    def __init__(self, prompts: Sequence[OpenStream], sampling: Sampling) -> None:
        self._open: dict[int, Stream] = {}
        try:
            for open_stream in prompts:
                for i in range(sampling.answers):
                    seed = None if sampling.seed is None else derive_seed(sampling.seed, i)
                    self._open[len(self._open)] = open_stream(sampling, seed=seed)
        except BaseException:
            self.close()
            raise

    @property
    def done(self) -> bool:
        """Whether all have ended."""
        return not self._open

    def next(self) -> list[IndexedChunk]:
        """What is new of all of them."""
        found = [(index, chunk) for index, stream in self._open.items() if (chunk := stream.next())]
        for index, chunk in found:
            if chunk.finish:
                del self._open[index]
        return found

    def close(self) -> None:
        """Stops those that have not ended."""
        for stream in self._open.values():
            stream.close()


class Choice:
    """One reply, put together from its pieces."""

    def __init__(self) -> None:
        self.text = ""
        self.finish: str | None = None
        self.tokens: list[TokenLogprob] = []
        self.mean_logprob: float | None = None
        self.completion_tokens = self.prompt_tokens = 0

    def add(self, chunk: "Chunk") -> None:
        self.text += chunk.text
        self.finish, self.mean_logprob = chunk.finish, chunk.mean_logprob
        self.completion_tokens, self.prompt_tokens = chunk.completion_tokens, chunk.prompt_tokens
        self.tokens += chunk.tokens


class Choices:
    """The replies so far, to so many prompts."""

    def __init__(self, sampling: Sampling, prompts: int) -> None:
        self.wanted, self._written = sampling.n, sampling.answers
        self.choices = [Choice() for _ in range(prompts * sampling.answers)]

    def add(self, new: Sequence[IndexedChunk]) -> None:
        for index, chunk in new:
            self.choices[index].add(chunk)

    def best(self) -> list[Choice]:
        """As many as were asked for of each prompt, the likeliest of those that were written."""
        if self.wanted == self._written:
            return self.choices
        ranked = (sorted(group, key=lambda choice: -(choice.mean_logprob or 0.0)) for group in self._groups())
        return [choice for group in ranked for choice in group[: self.wanted]]

    def usage(self) -> dict[str, int]:
        """Token counts of every prompt (once) and of all that was written."""
        made = sum(choice.completion_tokens for choice in self.choices)
        prompt = sum(max(choice.prompt_tokens for choice in group) for group in self._groups())
        return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}

    def _groups(self) -> list[list[Choice]]:
        """The choices of each prompt."""
        starts = range(0, len(self.choices), self._written)
        return [self.choices[start : start + self._written] for start in starts]
