"""A reply in text while the engine writes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gptwright.engine.engine import Engine
from gptwright.engine.reply import Reply
from gptwright.engine.sampling import Sampling
from gptwright.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class Piece:
    """The next bit of a reply. `finish` is set on the last one; the counts are those so far."""

    text: str
    finish: Literal["stop", "length"] | None
    prompt_tokens: int
    completion_tokens: int


class Stream:
    """One reply. After every step of the engine `next` gives what is new; `close` it when it is no longer wanted."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int | None = None,
        begins: bool = True,
    ) -> None:
        self._engine = engine
        self._reply = Reply(tokenizer, sampling, begins=begins)
        self._text = ""
        self.done = False
        self.request = engine.submit(ids, sampling, seed=seed, listener=self)

    def feed(self, token: int) -> None:
        """Another token of the answer, told by the engine."""
        self._text += self._reply.feed(token)

    @property
    def stopped(self) -> bool:
        """Whether a stop text or a stop id has come."""
        return self._reply.stopped

    def next(self) -> Piece | None:
        """What became certain since the last time; None for nothing."""
        if self.done or not (self._text or self.request.finish):
            return None
        text, self._text = self._text, ""
        finish = self.request.finish
        if finish:
            self.done = True
            text += self._reply.finish()
        assert finish != "abort"
        return Piece(text, finish, self.request.prompt, self._reply.tokens)

    def pieces(self) -> Iterator[Piece]:
        """All of it, the engine stepping as long as it takes."""
        try:
            while not self.done:
                self._engine.step()
                if piece := self.next():
                    yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Stops writing, if it has not ended."""
        self.done = True
        self._engine.abort(self.request)
