"""How an answer looks to the model that wrote it: what it read, special tokens and all, and how likely each token of
the answer was, with those that it would rather have written.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.inference.stream import Chunk, TokenLogprob
from gptwright.serving.choices import IndexedChunk
from gptwright.serving.jobs import collect
from gptwright.serving.logprobs import chat_logprobs, token_speller
from gptwright.serving.routes.written_answers import WrittenAnswers

if TYPE_CHECKING:
    from gptwright.inference.engine import Engine
    from gptwright.tokenizers.tokenizer import Tokenizer

TOP = 5
"""tokens that are told of each place"""


class Reading:
    """A worker's job that reads ids and writes none: one piece, with every token from `start` on."""

    def __init__(self, engine: "Engine", ids: Sequence[int], start: int) -> None:
        self._engine, self._ids, self._start = engine, ids, start
        self.request = engine.read(ids[:-1], start, following=ids[-1], top=TOP)
        self.done = False

    def next(self) -> Sequence[IndexedChunk]:
        """All of it, once it is read."""
        request = self.request
        if self.done or not request.finish:
            return []
        self.done = True
        found = zip(self._ids[self._start :], request.prompt_logprobs, request.prompt_top_logprobs, strict=True)
        tokens = [TokenLogprob(id, logprob, top, 0) for id, logprob, top in found]
        return [(0, Chunk("", "stop", len(self._ids), 0, tokens))]

    def close(self) -> None:
        """It need not be read to its end."""
        self._engine.abort(self.request)


class AnswerTokens:
    """The routes."""

    def __init__(self, answers: WrittenAnswers) -> None:
        self.answers = answers

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/answers/{id}/tokens", self.tokens, methods=["GET"])
        app.add_api_route("/api/answers/{id}/prompt", self.prompt, methods=["GET"])

    async def tokens(self, request: Request, id: str) -> Response:
        """Its tokens from the character `start` on: `content` is that of a chat completion's `logprobs`."""
        answer, served = await self.answers.find(request, id)
        tokenizer = served.model.tokenizer
        ids = await run_in_threadpool(answer.ids, tokenizer)
        start, told = len(answer.prompt_ids), {"id": id, "model": served.name, "start": len(answer.begun)}
        if len(ids) == start:
            return JSONResponse(told | {"content": []})
        [(_, read)] = await collect(request, served.worker, lambda: Reading(served.model.engine, ids, start), "id")
        return JSONResponse(told | {"content": chat_logprobs(read.tokens, token_speller(tokenizer))["content"]})

    async def prompt(self, request: Request, id: str) -> Response:
        """What was read before it was written, in pieces of text and of special tokens."""
        answer, served = await self.answers.find(request, id)
        pieces = await run_in_threadpool(spelled, answer.prompt_ids, served.model.tokenizer)
        return JSONResponse({"id": id, "model": served.name, "tokens": len(answer.prompt_ids), "pieces": pieces})


def spelled(ids: Sequence[int], tokenizer: "Tokenizer") -> list[dict[str, object]]:
    """`{"text", "special"}`: runs of ordinary ids as the text that they are, special ones each by its name."""
    pieces: list[dict[str, object]] = []
    for is_special, run in groupby(ids, lambda id: tokenizer.token_bytes(id) is None):
        if is_special:
            names = (tokenizer.backend.id_to_token(id) or f"<{id}>" for id in run)
            pieces += [dict[str, object](text=name, special=True) for name in names]
        else:
            said = b"".join(tokenizer.token_bytes(id) or b"" for id in run)
            pieces.append({"text": said.decode("utf-8", "replace"), "special": False})
    return pieces
