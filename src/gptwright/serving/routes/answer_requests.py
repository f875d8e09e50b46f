"""What an answer is asked with, and the same as the model reads it: the turns, the settings, the ids."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.engine import PromptTooLong
from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import APIError, api_error_of, unsupported_parameter
from gptwright.serving.choices import ChoiceStreams
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.messages import MOST_IMAGES
from gptwright.serving.routes.conversations import (
    ClientKey,
    NewMessage,
    checked_parts,
    message_id_of,
    own,
    own_message,
)
from gptwright.serving.routes.live_answers import LiveAnswer, draw_seed
from gptwright.serving.schemas import ChatRequest
from gptwright.serving.served_models import ServedModel
from gptwright.store.messages import Generation, history, turn_of
from gptwright.store.tables import Message, Part
from gptwright.tokenizers.chat_templates.parts import images_of

if TYPE_CHECKING:
    from gptwright.inference.content import Content
    from gptwright.tokenizers.chat_templates.chat import Message as Turn

ELSEWHERE = (
    "messages", "stream_options", "n", "truncation", "logprobs", "top_logprobs", "store", "metadata",
    "tools", "tool_choice", "functions", "function_call", "prediction",
)  # fmt: skip
"""fields of /v1/chat/completions that have no place here: what is read is stored, and one text is written"""


class Question(RequestFields):
    """A message of the user that is said behind `parent_id`, and answered."""

    content: str | list[dict[str, Any]]
    """a text, or parts as /v1/chat/completions takes them"""
    parent_id: str | None = Field(None, max_length=64)
    key: ClientKey | None = None


class AnswerRequest(RequestFields):
    """POST /api/conversations/ID/answers, without the fields that /v1/chat/completions has too. What is answered is
    stored already, or said first. `stream`: the answer to the request is the answer's events."""

    message_id: str | None = Field(None, max_length=64)
    message: Question | None = None
    key: ClientKey | None = None
    model: str | None = None
    stream: bool = False

    @model_validator(mode="after")
    def _something_is_answered(self) -> Self:
        if (self.message_id is None) == (self.message is None):
            refuse("message_id", "names what is answered, or 'message' says it: give one of them")
        return self


@dataclass(frozen=True)
class Asked:
    """What an answer is written to: the turns before it, of which `says` is new, and the text with which it begins
    where one is continued."""

    conversation_id: str
    parent_id: str
    turns: "Sequence[Turn]"
    begun: str = ""
    continues: str = ""
    says: NewMessage | None = None
    """the last of the turns, where it is not stored yet"""


@dataclass(frozen=True)
class Prepared:
    """The same, as the model reads it, and what is new of it as the store keeps it."""

    asked: Asked
    says: list[Part]
    served: ServedModel
    sampling: Sampling
    seed: int
    ids: Sequence[int]
    seen: "Mapping[int, Content]"
    """what stands in the places of images"""
    dropped: int

    def live(self, id: str, owner: str) -> LiveAnswer:
        """The answer, of which nothing is written yet."""
        asked = self.asked
        return LiveAnswer(id, owner, asked.conversation_id, asked.parent_id, self.served.name, asked.continues,
                          text=asked.begun)  # fmt: skip

    def source(self, live: LiveAnswer) -> ChoiceStreams:
        """What the worker makes of it; called when its turn has come."""
        live.note("waited")
        opened = partial(self.served.model.open_stream, self.ids, starts_text=not self.asked.begun,
                         **({"content": self.seen} if self.seen else {}))  # fmt: skip
        return ChoiceStreams([opened], replace(self.sampling, seed=self.seed))

    def generation(self, live: LiveAnswer) -> Generation:
        """How the answer came about."""
        own = {name: value for name, value in asdict(self.sampling).items() if name != "seed"}
        said = Generation(weights=self.served.weights, sampling=own, seed=self.seed, prompt_ids=[*self.ids],
                          seconds=live.seconds, finish=live.finish, tokens=live.tokens,
                          dropped=self.dropped)  # fmt: skip
        return said | {"continues": self.asked.continues} if self.asked.continues else said


def read_asked(session: Session, conversation_id: str, request: AnswerRequest, owner: str) -> Asked:
    """What is answered, with everything before it. Raises `APIError`: 404 for what is not there or not the owner's,
    400 for a message that answers nothing."""
    own(session, conversation_id, owner)
    if request.message:
        return _said_first(session, conversation_id, request.message, owner)
    message_id = str(request.message_id)
    message = _in(session, conversation_id, message_id, owner)
    path = history(session, message_id)
    if message.role != "assistant":
        return Asked(conversation_id, message_id, list(map(turn_of, path)))
    if len(path) < 2:
        raise APIError(400, "'message_id': this message answers nothing.", param="message_id", code="invalid_value")
    return Asked(conversation_id, str(message.parent_id), list(map(turn_of, path[:-1])), turn_of(message)["content"],
                 message_id)  # fmt: skip


def _said_first(session: Session, conversation_id: str, question: Question, owner: str) -> Asked:
    parent = _in(session, conversation_id, question.parent_id, owner) if question.parent_id else None
    says = NewMessage(role="user", content=question.content, parent_id=question.parent_id, key=question.key)
    turns = [turn_of(message) for message in history(session, parent.id)] if parent else []
    turns.append(says.turn())
    return Asked(conversation_id, message_id_of(conversation_id, question.key), turns, says=says)


def _in(session: Session, conversation_id: str, message_id: str, owner: str) -> Message:
    message = own_message(session, message_id, owner)
    if message.conversation_id != conversation_id:
        raise APIError(404, "You have no such message.", param="message_id", code="not_found")
    return message


def read_sampling(served: ServedModel, body: dict[str, object], asked: Asked) -> Sampling:
    """How it is written: as /v1/chat/completions reads it. Raises `APIError` (400) naming a field."""
    for name in ELSEWHERE:
        if body.get(name) is not None:
            raise unsupported_parameter(name)
    texts: Any = [{"role": turn["role"], "content": turn["content"]} for turn in asked.turns]
    read = ChatRequest.read({**body, "model": served.name, "messages": texts})
    model = served.model
    return read.sampling(model.sampling, model.context, model.tokenizer.vocab)


def prepare(asked: Asked, served: ServedModel, sampling: Sampling) -> Prepared:
    """Everything that the model needs. Raises `APIError` for what it cannot take."""
    model = served.model
    says = checked_parts(asked.turns[-1]) if asked.says else []
    try:
        if asked.begun and sampling.schema is not None:
            message = "'response_format': an answer that is continued cannot be held to a form."
            raise APIError(400, message, param="response_format", code="invalid_value")
        model.matcher(sampling, starts_text=True)
        shown = model.truncated(asked.turns, sampling, begun=asked.begun)
        if (count := len(images_of(shown))) > MOST_IMAGES:
            raise APIError(400, f"'message_id': at most {MOST_IMAGES} images may be before it, not {count}.",
                           param="message_id", code="invalid_value")  # fmt: skip
        ids = model.chat_ids(shown, begun=asked.begun)
        seen = model.chat_content(shown) if images_of(shown) else {}
        if len(ids) >= model.context:
            raise PromptTooLong(len(ids), model.context, answered=True)
    except GptwrightError as error:
        raise api_error_of(error, "message_id") from error
    seed = draw_seed() if sampling.seed is None else sampling.seed
    return Prepared(asked, says, served, sampling, seed, ids, seen, len(asked.turns) - len(shown))
