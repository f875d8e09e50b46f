"""How an answer looks to the model that wrote it: what it read, special tokens and all, and how likely each token of
the answer was, with those that it would rather have written.

An answer is stored as text. Its tokens are those of that text, scored behind the ids of its prompt by the same weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.inference.stream import Chunk, TokenLogprob
from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.choices import IndexedChunk
from gptwright.serving.jobs import collect
from gptwright.serving.logprobs import chat_logprobs, token_speller
from gptwright.serving.routes.conversations import own_message
from gptwright.serving.served_models import ServedModel, ServedModels
from gptwright.serving.transactions import Transactions
from gptwright.store.messages import find_message, history, text_of

if TYPE_CHECKING:
    from gptwright.inference.engine import Engine
    from gptwright.tokenizers.tokenizer import Tokenizer

TOP = 5
"""tokens that are told of each place"""


@dataclass(frozen=True)
class WrittenAnswer:
    """What is stored of one. `begun`: the text of the answer that it continues, which was read with its prompt."""

    model: str
    weights: str
    prompt_ids: Sequence[int]
    text: str
    begun: str
    sees: bool
    """whether images stand before it"""


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

    def __init__(self, store: Transactions, served: ServedModels) -> None:
        self.store, self.served = store, served

    def add_to(self, app: FastAPI) -> None:
        """Declares the routes."""
        app.add_api_route("/api/answers/{id}/tokens", self.tokens, methods=["GET"])
        app.add_api_route("/api/answers/{id}/prompt", self.prompt, methods=["GET"])

    async def tokens(self, request: Request, id: str) -> Response:
        """Its tokens from the character `start` on: `content` is that of a chat completion's `logprobs`."""
        answer, served = await self._written(request, id)
        if answer.sees:
            raise _cannot("images stand before it, and they are not stored as the model saw them")
        tokenizer = served.model.tokenizer
        new = await run_in_threadpool(tokenizer.encode, answer.text.removeprefix(answer.begun))
        told = {"id": id, "model": served.name, "start": len(answer.begun)}
        if not new:
            return JSONResponse(told | {"content": []})
        ids, start = [*answer.prompt_ids, *new], len(answer.prompt_ids)
        [(_, read)] = await collect(request, served.worker, lambda: Reading(served.model.engine, ids, start), "id")
        return JSONResponse(told | {"content": chat_logprobs(read.tokens, token_speller(tokenizer))["content"]})

    async def prompt(self, request: Request, id: str) -> Response:
        """What was read before it was written, in pieces of text and of special tokens."""
        answer, served = await self._written(request, id)
        pieces = await run_in_threadpool(spelled, answer.prompt_ids, served.model.tokenizer)
        return JSONResponse({"id": id, "model": served.name, "tokens": len(answer.prompt_ids), "pieces": pieces})

    async def _written(self, request: Request, id: str) -> tuple[WrittenAnswer, ServedModel]:
        """Raises `APIError` (409) where the weights that wrote it are not here."""
        owner = caller_of(request).name
        answer = await self.store.read(lambda session: _written(session, id, owner))
        served = self.served.writers.get(answer.model)
        if served is None:
            raise _cannot(f"the model '{answer.model}' that wrote it is not served")
        if served.weights != answer.weights:
            raise _cannot(f"the model '{answer.model}' was trained on since, and has other weights")
        return answer, served


def _written(session: Session, id: str, owner: str) -> WrittenAnswer:
    message = own_message(session, id, owner)
    made = message.generation or {}
    if not made.get("prompt_ids"):
        raise _cannot("it was written by a person, or elsewhere")
    before = find_message(session, made["continues"]) if made.get("continues") else None
    sees = any(part.get("type") != "text" for one in history(session, id) for part in one.content)
    return WrittenAnswer(message.model, made.get("weights", ""), made["prompt_ids"], text_of(message.content),
                         text_of(before.content) if before else "", sees)  # fmt: skip


def _cannot(why: str) -> APIError:
    message = f"How likely this answer's tokens were cannot be said: {why}. Ask for the answer again."
    return APIError(409, message, code="not_scorable")


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
