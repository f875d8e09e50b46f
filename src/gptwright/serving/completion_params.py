"""What every kind of completion takes: OpenAI's fields with their limits, and vLLM's where OpenAI has no word."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import APIError, api_error_of
from gptwright.serving.fields import OnlyFalse, RequestFields, refuse

PLAIN = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty",
         "n", "seed")  # fmt: skip
"""fields that are called as the engine's settings are"""
MOST_ANSWERS = 128
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


class StreamOptions(RequestFields):
    """`include_usage`: a last event with the token counts. `include_obfuscation` is accepted when false."""

    include_usage: bool | None = None
    include_obfuscation: OnlyFalse | None = None


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
        given |= {"max_tokens": self.tokens(), "schema": self.reply_schema(),
                  "logit_bias": {**default.logit_bias, **(self.logit_bias or {})}}  # fmt: skip
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
