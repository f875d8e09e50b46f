"""What may be asked: OpenAI's request fields with their limits, and vLLM's where OpenAI has no word."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import APIError, api_error_of
from gptwright.serving.fields import RequestFields, refuse
from gptwright.serving.messages import Message, as_text
from gptwright.serving.tools import ToolFields
from gptwright.tokenizers.chat_templates.tools import END_OF_CALL
from gptwright.tokenizers.fill_in_the_middle import read_template

PLAIN = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty",
         "logit_bias", "n", "seed")  # fmt: skip
"""fields that are called as the engine's settings are"""
MOST_ANSWERS, MOST_LOGPROBS = 128, 20
UNLIMITED = 1 << 31
"""tokens of an answer that only the context ends"""
MOST_CHOICES = 2048
"""answers to all prompts of a request together"""
MOST_TEXTS = 2048
"""texts of a request that are classified"""
Id = Annotated[int, Field(ge=0, lt=1 << 31)]
Bias = Annotated[float, Field(ge=-100, le=100)]


def _by_id(value: Any) -> Any:
    """JSON writes keys as texts: {"50256": -100}."""
    if not isinstance(value, dict):
        return value
    given = cast("dict[str, Any]", value)
    if not all(key.isascii() and key.isdecimal() and len(key) < 11 for key in given):
        raise ValueError("the keys must be ids of tokens")
    return {int(key): bias for key, bias in given.items()}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


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


class StreamOptions(RequestFields):
    """`include_usage`: a last event with the token counts. `include_obfuscation` is accepted when false."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class JSONSchema(RequestFields):
    """A JSON Schema and its name. With or without `strict`, the reply keeps to it."""

    name: str = Field(max_length=64)
    description: str | None = None
    asked: dict[str, Any] = Field(default_factory=dict[str, Any], alias="schema")
    strict: bool | None = None


class ResponseFormat(RequestFields):
    """What the reply is to be: any text, any JSON object, or JSON that a schema allows."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None

    @model_validator(mode="after")
    def _schema_where_it_belongs(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            refuse("json_schema", "must be given with the type 'json_schema', and with no other")
        return self

    def schema_of(self) -> dict[str, object] | None:
        """The JSON Schema that the reply must keep to, if any."""
        if self.json_schema:
            return self.json_schema.asked
        return {"type": "object"} if self.type == "json_object" else None


class CacheOptions(RequestFields):
    """What OpenAI's cache does unless told otherwise: ours keeps what it can."""

    mode: Literal["implicit"] | None = None
    ttl: Literal["30m"] | None = None


class Prediction(RequestFields):
    """What the reply is expected to repeat, such as the file that is to be changed a little."""

    type: Literal["content"]
    content: Annotated[str, BeforeValidator(as_text)]


class CompletionParams(RequestFields):
    """The fields that both kinds of completion share: OpenAI's, and of vLLM's those that say how tokens are drawn."""

    model: str
    """which of the models that `GET /v1/models` lists"""
    max_tokens: int | None = Field(None, ge=1, le=1 << 31)
    """tokens of a reply at most"""
    temperature: float | None = Field(None, ge=0, le=2)
    """0 takes the likeliest token; 1 draws as the model believes"""
    top_p: float | None = Field(None, ge=0, le=1)
    """draw among the likeliest tokens that together have this probability"""
    top_k: int | None = Field(None, ge=-1, le=1 << 31)
    """draw among the k likeliest; 0 and -1 are off"""
    min_p: float | None = Field(None, ge=0, le=1)
    """draw among tokens at least this many times as likely as the likeliest"""
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    """taken off the logits of tokens that stand in the reply"""
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    """taken off as many times as the token stands there"""
    repetition_penalty: float | None = Field(None, gt=0, le=100)
    """above 1 makes tokens of the prompt and the reply less likely by this factor"""
    logit_bias: Annotated[dict[Id, Bias] | None, BeforeValidator(_by_id)] = Field(None, max_length=1024)
    """added to the logits of ids: `{"50256": -100}`"""
    n: int | None = Field(None, ge=1, le=MOST_ANSWERS)
    """replies side by side; they share the prompt"""
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 64)
    """the same seed gives the same text, whatever is written beside it"""
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]] | None, BeforeValidator(_as_list)] = (
        Field(None, max_length=16)
    )
    """a text, or up to 16, that end the reply and are not part of it"""
    stop_token_ids: list[Id] | None = Field(None, max_length=64)
    """ids that end the reply, besides the model's own"""
    response_format: ResponseFormat | None = None
    """`json_object`, or `json_schema`: JSON without blanks that keeps to the schema; needs `gptwright[grammar]`"""
    stream: bool | None = None
    """server-sent events as the tokens come"""
    stream_options: StreamOptions | None = None
    """`include_usage` adds a last event with the token counts"""
    user: str | None = None
    """the caller's name for the person behind the request; kept with what is stored, and changes no reply"""

    @model_validator(mode="after")
    def _options_need_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            refuse("stream_options", "may only be given together with stream = true")
        return self

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with its token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def tokens(self) -> int | None:
        """The longest reply in tokens, or None for the model's own default."""
        return self.max_tokens

    def reply_schema(self) -> dict[str, Any] | None:
        """The JSON Schema that the reply must keep to, if any."""
        return self.response_format.schema_of() if self.response_format else None

    @property
    def predicted(self) -> str:
        """A text that the reply is likely to repeat, empty where none is given."""
        return ""

    @property
    def told_back(self) -> dict[str, object]:
        """What the answer says beside the reply."""
        return {}

    @property
    def schema_field(self) -> str:
        """The field that holds the schema."""
        return "response_format"

    def own_stops(self) -> Sequence[str]:
        """Texts that end this kind of reply by themselves."""
        return ()

    def own(self) -> dict[str, object]:
        """Settings that this kind of completion says in its own way, None where nothing is asked."""
        raise NotImplementedError

    def sampling(self, default: Sampling, context: int, vocab: int) -> Sampling:
        """The settings asked for over the model's own; a reply is never longer than `context` tokens.

        Raises `APIError` (400) for settings that make no sense together, and for ids beyond the vocabulary.
        """
        self._check_ids(vocab)
        given = {name: getattr(self, name) for name in PLAIN} | self.own()
        given["top_k"] = None if self.top_k is None else max(self.top_k, 0)  # -1 is vLLM's word for "off"
        given |= {"max_tokens": self.tokens(), "schema": self.reply_schema()}
        known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        known["max_tokens"] = min(known.get("max_tokens", default.max_tokens), context)
        stops = {"stop": (*default.stop, *(self.stop or ()), *self.own_stops()),
                 "stop_ids": (*default.stop_ids, *(self.stop_token_ids or ()))}  # fmt: skip
        try:
            return replace(default, **stops, **known)
        except GptwrightError as error:
            raise api_error_of(error, schema_field=self.schema_field) from error

    def _check_ids(self, vocab: int) -> None:
        for name, ids in (("logit_bias", self.logit_bias or {}), ("stop_token_ids", self.stop_token_ids or ())):
            if any(id >= vocab for id in ids):
                raise APIError(400, f"'{name}': ids must be below {vocab}, the number of tokens.", param=name,
                              code="invalid_value")  # fmt: skip


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
