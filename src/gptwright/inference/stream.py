"""A reply in text while the engine writes it."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gptwright.inference.engine import Engine
from gptwright.inference.grammar import Matcher
from gptwright.inference.reply import Reply
from gptwright.inference.sampling import Sampling
from gptwright.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text that is to be continued."""

    ids: Sequence[int]
    """what is read"""
    text: str
    """what they say"""
    added: int = 0
    """how many of the first ids stand for no part of the text: the one that begins texts, where a family has it"""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, and how likely it was."""

    id: int
    logprob: float | None
    """None for the first of a text, which follows nothing"""
    top: Mapping[int, float]
    """likeliest tokens there, as many as were asked for"""
    offset: int
    """characters in front of it"""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bit of a reply. `finish` is set on the last one; the counts are those so far."""

    text: str
    finish: Literal["stop", "length"] | None
    prompt_tokens: int
    completion_tokens: int
    tokens: Sequence[TokenLogprob] = ()
    """those of the text, where log-probabilities were asked for"""
    mean_logprob: float | None = None
    """of the whole reply, on the last piece, where they are noted"""


class Stream:
    """One reply. After every step of the engine `next` gives what is new; `close` it when it is no longer wanted.

    With an `echo`, its prompt, the reply begins with that, and offsets count from there. Where log-probabilities are
    asked for, the id that ended what continues a text is told as well: who added them up would miss it. A reply to a
    conversation is told without, as OpenAI does it.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int | None = None,
        begins: bool = True,
        matcher: Matcher | None = None,
        echo: Prompt | None = None,
    ) -> None:
        self._engine, self._tokenizer, self._echo = engine, tokenizer, echo
        self._reply = Reply(tokenizer, sampling, begins=begins)
        self._text = ""
        self._shown = 0
        self._begun, self._tells_end = False, not begins
        self._noted: list[TokenLogprob] = []
        self.done = False
        self.request = engine.submit(ids, sampling, seed=seed, listener=self, matcher=matcher)

    def feed(self, token: int) -> None:
        """Another token of the answer, told by the engine."""
        self._begin()
        offset = (len(self._echo.text) if self._echo else 0) + self._reply.written
        text = self._reply.feed(token)
        self._text += text
        self._shown += len(text)
        request = self.request
        if request.sampling.logprobs is not None and (not self.stopped or self._reply.cut or self._tells_end):
            self._noted.append(TokenLogprob(token, request.logprobs[-1], request.top[-1], offset))

    @property
    def stopped(self) -> bool:
        """Whether a stop text or a stop id has come."""
        return self._reply.stopped

    def next(self) -> Piece | None:
        """What became certain since the last time; None for nothing. Raises what made it impossible to go on."""
        finish = self.request.finish
        if finish and not self.request.error:
            self._begin()
        if self.done or not (self._text or finish):
            return None
        if finish:
            self.done = True
            rest = self._reply.finish()
            self._text += rest
            self._shown += len(rest)
        if self.request.error:
            raise self.request.error
        assert finish not in ("abort", "error")
        text, self._text = self._text, ""
        tokens = self._certain() if self._noted else ()
        return Piece(text, finish, self.request.prompt, self._reply.tokens, tokens, self._mean() if finish else None)

    def pieces(self) -> Generator[Piece]:
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

    def _begin(self) -> None:
        """The prompt has been read, and is given out where it is to be echoed."""
        if self._begun or not self._echo:
            return
        self._begun = True
        self._text, self._shown = self._echo.text, len(self._echo.text)
        if self.request.sampling.prompt_logprobs is not None:
            self._noted += self._given(self._echo.added)

    def _given(self, added: int) -> list[TokenLogprob]:
        """The prompt's tokens, without those that were added in front of its text."""
        characters, offset = self._tokenizer.streaming_decoder(), 0
        found: list[TokenLogprob] = []
        given = zip([None, *self.request.given_logprobs], [{}, *self.request.given_top], strict=True)
        for token, (logprob, top) in zip(self.request.ids[: self.request.prompt], given, strict=True):
            found.append(TokenLogprob(token, logprob, top, offset))
            offset += len(characters(token))
        return found[added:]

    def _certain(self) -> list[TokenLogprob]:
        """The tokens whose text was shown; at the end of a reply that no text stopped, the others too."""
        whole = self.done and not self._reply.cut
        count = len(self._noted) if whole else sum(noted.offset < self._shown for noted in self._noted)
        found, self._noted = self._noted[:count], self._noted[count:]
        return found

    def _mean(self) -> float | None:
        return self.request.mean_logprob if self.request.sampling.notes else None
