"""What may be asked: OpenAI's request fields with their limits.

A field stands here when the server honours it. `HARMLESS` fields say something about the caller and change no reply;
`NEUTRAL` lists, for fields that are not honoured, the values that ask for nothing. Any other field is a 400 naming it.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import GptwrightError
from gptwright.serving.refusals import Refusal, from_model, invalid, unsupported

HARMLESS = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_options",
                      "prompt_cache_retention", "service_tier"})  # fmt: skip

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "store": (False,),
    "best_of": (1,),
    "echo": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "modalities": (["text"],),
    "reasoning_effort": ("none",),
    "suffix": ("",),
}

PLAIN = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty",
         "logit_bias", "n", "seed")  # fmt: skip
"""fields that are called as the engine's settings are"""
MOST_ANSWERS, MOST_LOGPROBS = 16, 20
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


def _as_text(value: Any) -> Any:
    """A message's text, given as one string or as a list of text parts."""
    if not isinstance(value, list):
        return value
    texts: list[str] = []
    for part in cast("list[Any]", value):
        kind = cast("dict[str, Any]", part).get("type") if isinstance(part, dict) else None
        text = cast("dict[str, Any]", part).get("text") if kind == "text" else None
        if not isinstance(text, str):
            raise ValueError("only text parts can be read by this model")
        texts.append(text)
    return "\n".join(texts)


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """Raises `Refusal` (400) naming the first field that is missing, out of range, or not honoured."""
        try:
            return cls.model_validate({k: v for k, v in body.items() if k in cls.model_fields or _matters(k, v)})
        except ValidationError as error:
            raise invalid(error) from error


def _matters(name: str, value: Any) -> bool:
    if value is None or name in HARMLESS or any(_same(value, neutral) for neutral in NEUTRAL.get(name, ())):
        return False
    raise unsupported(name)


def _same(value: Any, neutral: Any) -> bool:
    """Equal as in JSON: 0 is 0.0 but not false."""
    return value == neutral and isinstance(value, bool) == isinstance(neutral, bool)


class Message(_Shape):
    """One turn of a conversation. "developer" is the newer word for "system"."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_as_text)]

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        """Clients send back what they received, with empty fields such as `tool_calls: []`."""
        if not isinstance(value, dict):
            return value
        items = cast("dict[str, Any]", value).items()
        return {name: item for name, item in items if name in cls.model_fields or item not in (None, [])}

    def plain(self) -> dict[str, str]:
        """As the chat template reads it."""
        return {"role": "system" if self.role == "developer" else self.role, "content": self.content}


class StreamOptions(_Shape):
    """`include_usage`: a last event with the token counts. `include_obfuscation` is accepted when false."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class JSONSchema(_Shape):
    """A JSON Schema and its name. With or without `strict`, the reply keeps to it."""

    name: str = Field(max_length=64)
    description: str | None = None
    asked: dict[str, Any] = Field(default_factory=dict[str, Any], alias="schema")
    strict: bool | None = None


class ResponseFormat(_Shape):
    """What the reply is to be: any text, any JSON object, or JSON that a schema allows."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None

    @model_validator(mode="after")
    def _schema_where_it_belongs(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("'json_schema' must be given with that type, and with no other.")
        return self

    def schema_of(self) -> dict[str, Any] | None:
        """The JSON Schema that the reply must keep to, if any."""
        if self.json_schema:
            return self.json_schema.asked
        return {"type": "object"} if self.type == "json_object" else None


class Asked(_Shape):
    """The fields that both kinds of completion share: OpenAI's, and of vLLM's those that say how tokens are drawn."""

    model: str
    max_tokens: int | None = Field(None, ge=1, le=1 << 31)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1 << 31)
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0, le=100)
    logit_bias: Annotated[dict[Id, Bias] | None, BeforeValidator(_by_id)] = Field(None, max_length=1024)
    n: int | None = Field(None, ge=1, le=MOST_ANSWERS)
    seed: int | None = Field(None, ge=0, lt=1 << 63)
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]] | None, BeforeValidator(_as_list)] = (
        Field(None, max_length=16)
    )
    stop_token_ids: list[Id] | None = Field(None, max_length=64)
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _options_need_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("'stream_options' may only be given together with stream = true.")
        return self

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with its token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def tokens(self) -> int | None:
        """The longest reply in tokens, or None for the model's own default."""
        return self.max_tokens

    def own(self) -> dict[str, Any]:
        """Settings that this kind of completion says in its own way, None where nothing is asked."""
        raise NotImplementedError

    def sampling(self, default: Sampling, context: int, vocab: int) -> Sampling:
        """The settings asked for over the model's own; a reply is never longer than `context` tokens.

        Raises `Refusal` (400) for settings that make no sense together, and for ids beyond the vocabulary.
        """
        for name, ids in (("logit_bias", self.logit_bias or {}), ("stop_token_ids", self.stop_token_ids or ())):
            if any(id >= vocab for id in ids):
                raise Refusal(400, f"'{name}': ids must be below {vocab}, the number of tokens.", param=name,
                              code="invalid_value")  # fmt: skip
        given = {name: getattr(self, name) for name in PLAIN} | self.own()
        given |= {"max_tokens": self.tokens(), "schema": self.response_format and self.response_format.schema_of()}
        known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        known["max_tokens"] = min(known.get("max_tokens", default.max_tokens), context)
        stops = {"stop": (*default.stop, *(self.stop or ())),
                 "stop_ids": (*default.stop_ids, *(self.stop_token_ids or ()))}  # fmt: skip
        try:
            return replace(default, **stops, **known)
        except GptwrightError as error:
            raise from_model(error) from error


class ChatRequest(Asked):
    """POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1, le=1 << 31)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_LOGPROBS)

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        both = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(both) > 1:
            raise ValueError("'max_tokens' and 'max_completion_tokens' differ; give one of them.")
        return self

    @model_validator(mode="after")
    def _top_of_something(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("'top_logprobs' may only be given together with logprobs = true.")
        return self

    def tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    def own(self) -> dict[str, Any]:
        return {"logprobs": (self.top_logprobs or 0) if self.logprobs else None}


class CompletionRequest(Asked):
    """POST /v1/completions. Like OpenAI's, it writes 16 tokens when no limit is given."""

    prompt: str
    logprobs: int | None = Field(None, ge=0, le=MOST_LOGPROBS)
    echo: bool | None = None
    best_of: int | None = Field(None, ge=1, le=MOST_ANSWERS)

    @model_validator(mode="after")
    def _best_is_known_at_the_end(self) -> Self:
        if self.stream and (self.best_of or 1) > (self.n or 1):
            raise ValueError("'best_of' above n cannot be streamed: which is best is known at the end.")
        return self

    def tokens(self) -> int | None:
        return self.max_tokens or 16

    def own(self) -> dict[str, Any]:
        return {"logprobs": self.logprobs, "prompt_logprobs": self.logprobs if self.echo else None,
                "best_of": self.best_of}  # fmt: skip


class FeedbackRequest(_Shape):
    """POST /feedback: the messages up to and including the rated answer.

    `id` names the rated message, so that a changed mind replaces the earlier thumb; without it the text does.
    """

    conversation: list[Message] = Field(min_length=1)
    thumb: Literal["up", "down"]
    id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _ends_with_answer(self) -> Self:
        if self.conversation[-1].role != "assistant":
            raise ValueError("'conversation' must end with the assistant's answer that is rated.")
        return self


def check_model(asked: str, served: str) -> None:
    """Raises `Refusal` (404) when another model is asked for than the one that is served."""
    if asked != served:
        raise Refusal(404, f"The model '{asked[:80]}' does not exist here; this server has '{served}'.",
                      param="model", code="model_not_found")  # fmt: skip
