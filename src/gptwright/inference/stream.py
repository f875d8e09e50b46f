"""A reply in text while the engine writes it."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

from gptwright.inference.content import Content
from gptwright.inference.detokenizer import Detokenizer
from gptwright.inference.engine import Engine
from gptwright.inference.sampler import Constraint
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
class Chunk:
    """The next bit of a reply. `finish` is set on the last one; the counts are those so far."""

    text: str
    finish: Literal["stop", "length"] | None
    prompt_tokens: int
    completion_tokens: int
    tokens: Sequence[TokenLogprob] = ()
    """those of the text, where log-probabilities were asked for"""
    mean_logprob: float | None = None
    """of the whole reply, on the last piece, where they are noted"""


class StreamOptions(TypedDict, total=False):
    """How an answer is written: its seed, whether it begins a text or continues one, the prompt that it repeats first,
    what stands at placeholders of the prompt, such as an image's embeddings, and whether the prompt's end is healed."""

    seed: int | None
    starts_text: bool
    echo: Prompt | None
    content: Mapping[int, Content]
    heal: bool


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
        constraint: Constraint | None = None,
        *,
        begun: str = "",
        **how: Unpack[StreamOptions],
    ) -> None:
        starts_text = how.get("starts_text", True)
        self._engine, self._tokenizer, self._echo = engine, tokenizer, how.get("echo")
        self._reply = Detokenizer(tokenizer, sampling, starts_text=starts_text, begun=begun)
        self._text = ""
        self._shown = 0
        self._echoed, self._includes_stop = False, not starts_text
        self._logprobs: list[TokenLogprob] = []
        self.done = False
        self.request = engine.submit(
            ids, sampling, seed=how.get("seed"), listener=self, constraint=constraint, content=how.get("content")
        )

    def feed(self, token: int) -> None:
        """Another token of the answer, told by the engine."""
        self._echo_prompt()
        offset = (len(self._echo.text) if self._echo else 0) + self._reply.characters
        text = self._reply.feed(token)
        self._text += text
        self._shown += len(text)
        request = self.request
        if request.sampling.logprobs is not None and (
            not self.stopped or self._reply.hit_stop_text or self._includes_stop
        ):
            self._logprobs.append(TokenLogprob(token, request.logprobs[-1], request.top[-1], offset))

    @property
    def stopped(self) -> bool:
        """Whether a stop text or a stop id has come."""
        return self._reply.stopped

    def next(self) -> Chunk | None:
        """What became certain since the last time; None for nothing. Raises what made it impossible to go on."""
        finish = self.request.finish
        if finish and not self.request.error:
            self._echo_prompt()
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
        tokens = self._shown_logprobs() if self._logprobs else ()
        return Chunk(
            text, finish, self.request.prompt, self._reply.tokens, tokens, self._mean_logprob() if finish else None
        )

    def chunks(self) -> Generator[Chunk]:
        """All of it, the engine stepping as long as it takes."""
        try:
            while not self.done:
                self._engine.step()
                if chunk := self.next():
                    yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Stops writing, if it has not ended."""
        self.done = True
        self._engine.abort(self.request)

    def _echo_prompt(self) -> None:
        """The prompt has been read, and is given out where it is to be echoed."""
        if self._echoed or not self._echo:
            return
        self._echoed = True
        self._text, self._shown = self._echo.text, len(self._echo.text)
        if self.request.sampling.prompt_logprobs is not None:
            self._logprobs += self._prompt_logprobs(self._echo.added)

    def _prompt_logprobs(self, added: int) -> list[TokenLogprob]:
        """The prompt's tokens, without those that were added in front of its text."""
        characters, offset = self._tokenizer.streaming_decoder(), 0
        found: list[TokenLogprob] = []
        given = zip([None, *self.request.prompt_logprobs], [{}, *self.request.prompt_top_logprobs], strict=True)
        for token, (logprob, top) in zip(self.request.ids[: self.request.prompt], given, strict=True):
            found.append(TokenLogprob(token, logprob, top, offset))
            offset += len(characters(token))
        return found[added:]

    def _shown_logprobs(self) -> list[TokenLogprob]:
        """The tokens whose text was shown; at the end of a reply that no text stopped, the others too."""
        whole = self.done and not self._reply.hit_stop_text
        count = len(self._logprobs) if whole else sum(token.offset < self._shown for token in self._logprobs)
        found, self._logprobs = self._logprobs[:count], self._logprobs[count:]
        return found

    def _mean_logprob(self) -> float | None:
        return self.request.mean_logprob if self.request.sampling.needs_logprobs else None
