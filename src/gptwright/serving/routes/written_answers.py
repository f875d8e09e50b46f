"""Stored answers as the model that wrote them can read them again, by the same weights.

An answer is stored as text. Its tokens are those of that text, behind the ids of its prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session
from starlette.requests import Request

from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError
from gptwright.serving.routes.conversations import own_message
from gptwright.serving.served_models import ServedModel, ServedModels
from gptwright.serving.transactions import Transactions
from gptwright.store.messages import find_message, history, text_of

if TYPE_CHECKING:
    from gptwright.tokenizers.tokenizer import Tokenizer


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

    def ids(self, tokenizer: "Tokenizer") -> list[int]:
        """Of its prompt and of what was written. Raises `APIError` (409) where images stand before it."""
        if self.sees:
            raise _cannot("images stand before it, and they are not stored as the model saw them")
        return [*self.prompt_ids, *tokenizer.encode(self.text.removeprefix(self.begun))]


class WrittenAnswers:
    """All that are kept, with the models that are served."""

    def __init__(self, store: Transactions, served: ServedModels) -> None:
        self.store, self.served = store, served

    async def find(self, request: Request, id: str) -> tuple[WrittenAnswer, ServedModel]:
        """One of the caller's own, and the model that wrote it. Raises `APIError`: 404 where there is none, 409 where
        the weights that wrote it are not here."""
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
    message = f"The model cannot read this answer again as it wrote it: {why}. Ask for the answer again."
    return APIError(409, message, code="not_scorable")
