"""All replies to one request, written side by side: what the worker takes pieces from, and the caller puts together."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gptwright.engine.sampler import seed_of
from gptwright.engine.sampling import Sampling

if TYPE_CHECKING:
    from gptwright.generation.stream import Noted, Piece, Stream

Numbered = tuple[int, "Piece"]
Open = Callable[[Sampling, int | None], "Stream"]
"""Opens one reply, from the settings and its seed."""


class Replies:
    """As many as `sampling` wants written, each piece with its number. Answer i is drawn with the i-th seed.

    Raises what opening one of them raises.
    """

    def __init__(self, open: Open, sampling: Sampling) -> None:
        self._open: dict[int, Stream] = {}
        try:
            for index in range(sampling.answers):
                seed = None if sampling.seed is None else seed_of(sampling.seed, index)
                self._open[index] = open(sampling, seed)
        except BaseException:
            self.close()
            raise

    @property
    def done(self) -> bool:
        """Whether all have ended."""
        return not self._open

    def next(self) -> list[Numbered]:
        """What is new of all of them."""
        found = [(index, piece) for index, stream in self._open.items() if (piece := stream.next())]
        for index, piece in found:
            if piece.finish:
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
        self.tokens: list[Noted] = []
        self.mean_logprob: float | None = None
        self.completion_tokens = self.prompt_tokens = 0

    def add(self, piece: "Piece") -> None:
        self.text += piece.text
        self.finish, self.mean_logprob = piece.finish, piece.mean_logprob
        self.completion_tokens, self.prompt_tokens = piece.completion_tokens, piece.prompt_tokens
        self.tokens += piece.tokens


class Gathered:
    """The replies so far."""

    def __init__(self, sampling: Sampling) -> None:
        self.wanted = sampling.n
        self.choices = [Choice() for _ in range(sampling.answers)]

    def add(self, new: Sequence[Numbered]) -> None:
        for index, piece in new:
            self.choices[index].add(piece)

    def best(self) -> list[Choice]:
        """As many as were asked for, the likeliest of those that were written."""
        if self.wanted == len(self.choices):
            return self.choices
        return sorted(self.choices, key=lambda choice: -(choice.mean_logprob or 0.0))[: self.wanted]

    def usage(self) -> dict[str, int]:
        """Token counts of the prompt (once) and of all that was written."""
        made = sum(choice.completion_tokens for choice in self.choices)
        prompt = max(choice.prompt_tokens for choice in self.choices)
        return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}
