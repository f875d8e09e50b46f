"""How a request's fields are read: strictly, and none is ignored in silence.

`REFUSED` says of parameters of OpenAI's clients why they are not honoured, and `NEUTRAL` at which values they ask for
nothing and are taken. Any other field is a 400 naming it, too.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from gptwright.serving.api_errors import invalid_request, unsupported_parameter

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "reasoning_effort": ("none",),
    "verbosity": ("medium",),
}


REFUSED: dict[str, str] = {
    "audio": "replies are text",
    "moderation": "a classifier that is served answers at /v1/moderations",
    "reasoning_effort": "models here do not reason before they reply",
    "verbosity": "say in a message how long a reply is to be",
    "web_search_options": "nothing here reaches the web",
}


def _boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "Input should be a valid boolean")
    return value


OnlyFalse = Annotated[Literal[False], BeforeValidator(_boolean)]
"""false and nothing else: a literal alone takes what equals it, such as 0"""


class RequestFields(BaseModel):
    """Some fields of a request. Numbers are finite, an int is not a text, and what is not known is refused."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True,
                              use_attribute_docstrings=True)  # fmt: skip

    @classmethod
    def read(cls, body: Mapping[str, object]) -> Self:
        """Raises `APIError` (400) naming the first field that is missing, out of range, or not honoured."""
        try:
            return cls.model_validate({k: v for k, v in body.items() if k in cls.model_fields or _matters(k, v)})
        except ValidationError as error:
            raise invalid_request(error) from error


def refuse(param: str, message: str) -> NoReturn:
    """Of a validator that looks at several fields: names the one that has to change."""
    raise PydanticCustomError("together", "{message}", {"param": param, "message": message})


def _matters(name: str, value: Any) -> bool:
    if value is None or any(_same(value, neutral) for neutral in NEUTRAL.get(name, ())):
        return False
    raise unsupported_parameter(name, REFUSED.get(name, ""))


def _same(value: Any, neutral: Any) -> bool:
    """Equal as in JSON: 0 is 0.0 but not false."""
    return value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
