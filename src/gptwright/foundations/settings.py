"""Settings: a dataclass that checks its numbers when it is made; what they may be stands in the fields' types.

    @settings
    class Walk:
        steps: Count = 100
        pace: Annotated[float, Range(0, 10, above=True)] = 1.5

Every number is finite without saying so, in a recipe, on the command line and in Python alike.
"""

import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from sys import float_info
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from gptwright.foundations.errors import ConfigError

T = TypeVar("T")
WHOLE = 2**63 - 1  # what TOML and torch can hold
FREE = {"free": True}
"""Metadata of a field that says where work is done, not which: a stage goes on with another value."""


@runtime_checkable
class Settings(Protocol):
    """A configuration: an instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True)
class Range:
    """From `least` to `most`; with `above` more than `least`, with `below` less than `most`."""

    least: float
    most: float
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        low = self.least < value if self.above else self.least <= value
        return low and (value < self.most if self.below else value <= self.most)

    def __str__(self) -> str:
        if self == FINITE:
            return "that is finite"
        least, most = _shown(self.least), _shown(self.most)
        if self.above:
            return f"above {least} and at most {most}"
        return f"from {least} to {'below ' if self.below else ''}{most}"


FINITE = Range(-float_info.max, float_info.max)
Count = Annotated[int, Range(1, 10**9)]
"""how many there are of what there must be"""
Amount = Annotated[int, Range(0, 10**9)]
"""how many there are of what there need not be"""
Rows = Annotated[int, Range(1, 10**6)]
"""of a batch"""
Seed = Annotated[int, Range(0, 10**18)]
Threads = Annotated[int, Range(1, 1024)]
Port = Annotated[int, Range(0, 65535)]
Rate = Annotated[float, Range(0, 10, above=True)]
"""of learning: beyond it everything diverges"""
Weight = Annotated[float, Range(0, 1000)]
"""of a part of a loss"""
Epsilon = Annotated[float, Range(0, 1, above=True)]
"""what keeps a root or a quotient away from 0"""
Size = Annotated[int, Range(1, 2**27)]
"""of a model: a damaged file may ask for anything, and a model is built, without memory, before its weights are met"""
Layers = Annotated[int, Range(1, 1000)]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """A frozen, keyword-only dataclass whose numbers are checked before its own `__post_init__` looks at them.

    Its fields come before those that it inherits, and theirs before those of their own bases.

    Making one raises `ConfigError` for the first number that is not finite, out of its range, or no number.
    """
    more = getattr(cls, "__post_init__", None)

    def __post_init__(self: Any) -> None:
        check_numbers(self)
        if more:
            more(self)

    cast("Any", cls).__post_init__ = __post_init__
    made = cast("Any", dataclass(frozen=True, kw_only=True)(cls))
    order = list(dict.fromkeys(name for base in cls.__mro__ for name in inspect.get_annotations(base)))
    made.__dataclass_fields__ = {name: made.__dataclass_fields__[name] for name in order}
    return made


def with_fields(cls: type[T], more: list[tuple[str, object, object]]) -> type[T]:
    """The dataclass with more fields behind its own, or with another type for some of them."""
    made = cast("Any", make_dataclass(cls.__name__, more, bases=(cls,), frozen=True, kw_only=True))
    made.__doc__ = cls.__doc__
    order = dict.fromkeys([*cast("Any", cls).__dataclass_fields__, *made.__dataclass_fields__])
    made.__dataclass_fields__ = {name: made.__dataclass_fields__[name] for name in order}
    return made


def check_numbers(config: object) -> None:
    """Raises `ConfigError` for the first field whose number is not what its type says."""
    for name, number in numbers_of(type(config)).items():
        value = getattr(config, name)
        several = number.many and isinstance(value, tuple | list)
        for item in cast("list[Any]", value) if several else [value]:
            if not (item is None and number.optional):
                _check(name, item, number)


class Number(NamedTuple):
    """What a field's type says of its numbers."""

    kind: type
    range: Range
    optional: bool
    many: bool


@cache
def numbers_of(cls: type) -> dict[str, Number]:
    """The fields that hold a number, or numbers in a tuple."""
    hints = get_type_hints(cls, include_extras=True)
    found = {field.name: _number(hints[field.name]) for field in fields(cls)}
    return {name: number for name, number in found.items() if number}


def _number(hint: Any) -> Number | None:
    parts = list(_parts(hint))
    kind = next((kind for kind in (float, int) if kind in parts), None)
    if kind is None:
        return None
    said = next((part for part in parts if isinstance(part, Range)), Range(-WHOLE, WHOLE) if kind is int else FINITE)
    return Number(kind, said, types.NoneType in parts, get_origin(hint) is tuple)


def _parts(hint: Any) -> Iterator[Any]:
    """What a type is made of, down to plain types and what was noted beside them."""
    if get_origin(hint) in (Annotated, Union, types.UnionType, tuple):
        for part in get_args(hint):
            yield from _parts(part)
    else:
        yield hint


def _check(name: str, value: Any, number: Number) -> None:
    if isinstance(value, bool) or not isinstance(value, int if number.kind is int else int | float):
        what = "a whole number" if number.kind is int else "a number"
        raise ConfigError(f"{what} for {name}", repr(value), "Change it.")
    if value not in number.range:
        raise ConfigError(f"{name} {number.range}", _shown(value), "Change it.")


def _shown(value: float) -> str:
    """Whole numbers with separators, unless nobody could read them."""
    if not isinstance(value, int):
        return f"{value:g}"
    digits = int(value.bit_length() * 0.30103)
    return f"{value:,}" if digits < 20 else f"a number of some {digits} digits"
