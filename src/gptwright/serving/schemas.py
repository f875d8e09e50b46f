"""What may be asked at each route."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from gptwright.serving.completion_params import MOST_ANSWERS, CompletionParams
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.messages import Message, as_text
from gptwright.serving.tool_fields import ToolFields
from gptwright.tokenizers.chat_templates.tool_text import END_OF_CALL
from gptwright.tokenizers.fill_in_the_middle import read_template

MOST_LOGPROBS = 20
UNLIMITED = 1 << 31
"""tokens of an answer that only the context ends"""
MOST_CHOICES = 2048
"""answers to all prompts of a request together"""
MOST_TEXTS = 2048
"""texts of a request that are classified"""


def _as_prompts(value: Any) -> Any:
    """A text, a list of texts, a text as ids, or a list of those, as a list."""
    given = cast("list[Any]", value) if isinstance(value, list) and not _are_ids(value) else [value]
    if not given or not (all(isinstance(one, str) for one in given) or all(_are_ids(one) for one in given)):
        raise ValueError("must be a text, a list of texts, a list of ids, or a list of lists of ids, and no list empty")
    return given


def _are_ids(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(id, int) and not isinstance(id, bool) for id in cast("list[Any]", value))


def _as_texts(value: Any) -> Any:
    """A text, the parts of one, or a list of texts, as a list."""
    listed = cast("list[Any]", value) if isinstance(value, list) else []
    is_one = isinstance(value, str) or any(isinstance(part, dict) for part in listed)
    if not is_one:
        return value
    text = as_text(value)
    if not text:
        raise ValueError("must not be empty")
    return [text]


class CacheOptions(RequestFields):
    """What OpenAI's cache does unless told otherwise: ours keeps what it can."""

    mode: Literal["implicit"] | None = None
    ttl: Literal["30m"] | None = None


class Prediction(RequestFields):
    """What the reply is expected to repeat, such as the file that is to be changed a little."""

    type: Literal["content"]
    content: Annotated[str, BeforeValidator(as_text)]


class ChatRequest(ToolFields, CompletionParams):
    """POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    """turns with `role` and `content`: a text, or parts of the type `text`; what an assistant refused counts as said"""
    max_completion_tokens: int | None = Field(None, ge=1, le=1 << 31)
    """the newer word for `max_tokens`"""
    truncation: Literal["auto", "disabled"] | None = None
    """`auto` leaves out the oldest turns of a conversation that is too long; the header `x-dropped-messages` counts"""
    logprobs: bool | None = None
    """how likely every token was: the model's own, whatever the temperature and whatever is cut or penalised"""
    top_logprobs: int | None = Field(None, ge=0, le=MOST_LOGPROBS)
    """likeliest tokens that are told in the place of each"""
    prediction: Prediction | None = None
    """a text that the reply is likely to repeat: where it does, tokens are verified several at a time"""
    modalities: list[Literal["text"]] | None = Field(None, min_length=1, max_length=1)
    """`["text"]`: replies are text"""
    store: bool | None = None
    """keeps conversation and reply in the server's store, under the reply's `id`"""
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None = Field(
        None, max_length=16
    )
    """up to 16 texts by name, kept with what `store` keeps"""
    safety_identifier: str | None = Field(None, max_length=64)
    """the newer word for `user`"""
    prompt_cache_key: str | None = Field(None, max_length=64)
    """who would share a cache of prompts: here all requests do, and the reply is the same"""
    prompt_cache_options: CacheOptions | None = None
    """`{"mode": "implicit", "ttl": "30m"}`, which is what the cache does"""
    prompt_cache_retention: Literal["in_memory", "in-memory"] | None = None
    """`in_memory`, where the cache is"""
    service_tier: Literal["auto", "default"] | None = None
    """`auto` or `default`; the reply says `default`"""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        both = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(both) > 1:
            refuse("max_tokens", "differs from 'max_completion_tokens'; give one of them")
        return self

    @model_validator(mode="after")
    def _top_of_something(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            refuse("top_logprobs", "may only be given together with logprobs = true")
        return self

    @model_validator(mode="after")
    def _metadata_of_something(self) -> Self:
        if self.metadata and not self.store:
            refuse("metadata", "may only be given together with store = true")
        return self

    @property
    def predicted(self) -> str:
        return self.prediction.content if self.prediction else ""

    @property
    def told_back(self) -> dict[str, object]:
        return {"service_tier": "default"} if self.service_tier else {}

    @property
    def about(self) -> dict[str, object]:
        """What is kept with the conversation."""
        about = {"user": self.user, "safety_identifier": self.safety_identifier, "metadata": self.metadata}
        return {name: value for name, value in about.items() if value}

    def tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    def reply_schema(self) -> dict[str, Any] | None:
        return self.call_schema(CompletionParams.reply_schema(self))

    @property
    def schema_field(self) -> str:
        return ("functions" if self.functions else "tools") if self.callable else "response_format"

    def own_stops(self) -> Sequence[str]:
        return (END_OF_CALL,) if self.callable and self.parallel_tool_calls is False else ()

    def own(self) -> dict[str, object]:
        return {"logprobs": (self.top_logprobs or 0) if self.logprobs else None}


class CompletionRequest(CompletionParams):
    """POST /v1/completions. Like OpenAI's, it writes 16 tokens when no limit is given."""

    prompt: Annotated[list[str | list[int]], BeforeValidator(_as_prompts)]
    """a text, a list of texts, a list of ids, or a list of those; choices come in their order, `n` for each"""
    suffix: str | None = None
    """a text that comes after: what stands between is written, by a model that was taught to insert"""
    max_tokens: int | None = Field(None, ge=0, le=1 << 31)
    """tokens of a reply at most; 16 when it is not given, and 0 only reads the prompt"""
    logprobs: int | None = Field(None, ge=0, le=MOST_LOGPROBS)
    """how likely every token was, and so many of the likeliest in its place"""
    echo: bool | None = None
    """the prompt before the text, with `logprobs` its tokens too"""
    best_of: int | None = Field(None, ge=1, le=MOST_ANSWERS)
    """so many are written, of which the `n` likeliest are given"""

    @model_validator(mode="after")
    def _best_is_known_at_the_end(self) -> Self:
        if self.stream and (self.best_of or 1) > (self.n or 1):
            refuse("best_of", "above n cannot be streamed: which is best is known at the end")
        return self

    @model_validator(mode="after")
    def _echo_of_a_whole_text(self) -> Self:
        if self.echo and any(self.holes):
            refuse("echo", "may not be given for a hole that is to be filled in")
        return self

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if len(self.prompt) * (self.best_of or self.n or 1) > MOST_CHOICES:
            refuse("prompt", f"all prompts together may ask for {MOST_CHOICES} answers at most")
        return self

    @property
    def holes(self) -> list[tuple[str | list[int], str] | None]:
        """Of each prompt what stands before and after the hole, where it has one: by `suffix`, or by sentinels that an
        editor has put into the prompt itself."""
        if self.suffix:
            return [(prompt, self.suffix) for prompt in self.prompt]
        return [read_template(prompt) if isinstance(prompt, str) else None for prompt in self.prompt]

    def tokens(self) -> int | None:
        return 16 if self.max_tokens is None else self.max_tokens

    def own(self) -> dict[str, object]:
        return {"logprobs": self.logprobs, "prompt_logprobs": self.logprobs if self.echo else None,
                "best_of": self.best_of}  # fmt: skip


class EditRequest(CompletionParams):
    """POST /v1/edits. Unlike a completion it ends where the model ends it, when no limit is given."""

    input: str = ""
    instruction: str = Field(min_length=1)

    def tokens(self) -> int | None:
        return UNLIMITED if self.max_tokens is None else self.max_tokens

    def own(self) -> dict[str, object]:
        return {}


class ModerationRequest(RequestFields):
    """POST /v1/moderations. Parts of the type "text" are one text, as OpenAI has it."""

    input: Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_texts)] = Field(
        min_length=1, max_length=MOST_TEXTS
    )
    model: str | None = None
    """the classifier that answers, or the first"""


class EmbeddingRequest(RequestFields):
    """POST /v1/embeddings."""

    input: Annotated[list[str | list[int]], BeforeValidator(_as_prompts)] = Field(max_length=MOST_TEXTS)
    """a text, a list of texts, a list of ids, or a list of those"""
    model: str
    """which of the models that write"""
    encoding_format: Literal["float", "base64"] | None = None
    """`float`, a list of numbers, or `base64` of them as little-endian 32-bit floats"""
    dimensions: int | None = Field(None, ge=1)
    """only so many of the first numbers, scaled to the length 1 again"""
    user: str | None = None
    """the caller's name for the person behind the request; changes no embedding"""


class FeedbackRequest(RequestFields):
    """POST /feedback: the messages up to and including the rated answer.

    `id` names the rated message, so that a changed mind replaces the earlier rating; without it the text does.
    """

    model: str | None = None
    """the model that answered; not needed where the server has one"""
    conversation: list[Message] = Field(min_length=1)
    rating: Literal["up", "down"]
    id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _ends_with_answer(self) -> Self:
        if self.conversation[-1].role != "assistant":
            refuse("conversation", "must end with the assistant's answer that is rated")
        return self
