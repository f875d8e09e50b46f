"""Dataclasses to plain tables and back, strictly: an unknown key is an error that offers the nearest name."""

import contextlib
import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints, overload

from gptwright.foundations.errors import ConfigError, nearest
from gptwright.foundations.settings import Settings

T = TypeVar("T")
Decoders = Mapping[Any, Callable[[Any], Any]]


@overload
def encode(value: Settings) -> dict[str, object]: ...
@overload
def encode(value: object) -> object: ...
def encode(value: object) -> object:
    """A dataclass, table, path or tuple as JSON and TOML can hold it; fields that are None are left out.

    A class that names its `family` has it written first: sizes alone do not say of what.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {"family": getattr(value, "family", None)} | {
            f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
        return {name: item for name, item in fields.items() if item is not None}
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {name: encode(item) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in cast("list[Any]", value)]
    return value


def decode(cls: type[T], table: Mapping[str, object], where: str, decoders: Decoders | None = None) -> T:
    """Builds the dataclass `cls` from `table`.

    `where` names the table in messages; `decoders` says how to read field types of upper floors.
    Raises `ConfigError` for an unknown key, a missing one, or a value of the wrong type.
    """
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cast(Any, cls)) if f.init}
    for key in table:
        if key not in fields:
            raise ConfigError(f"a key of {where}", f"'{key}'", nearest(key, fields))
    values = {key: _read(hints[key], value, f"{where}.{key}", decoders or {}) for key, value in table.items()}
    required = {
        n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - values.keys()):
        raise ConfigError(f"the key '{missing[0]}' in {where}", "nothing", f"Add {missing[0]} = … there.")
    return cls(**values)


def _read(hint: Any, value: Any, where: str, decoders: Decoders) -> Any:
    if hint in decoders:
        return decoders[hint](value)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner, absent = next(a for a in get_args(hint) if a is not types.NoneType), types.NoneType in get_args(hint)
        return None if value is None and absent else _read(inner, value, where, decoders)
    if origin in (tuple, Sequence):
        _expect(isinstance(value, list | tuple), "a list", value, where)
        return tuple(_read(get_args(hint)[0], item, where, decoders) for item in value)
    if origin is Mapping:
        _expect(isinstance(value, Mapping), "a table", value, where)
        return {name: _read(get_args(hint)[1], item, f"{where}.{name}", decoders) for name, item in value.items()}
    if dataclasses.is_dataclass(hint):
        _expect(isinstance(value, Mapping), "a table", value, where)
        return decode(cast("type[Any]", hint), value, where, decoders)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Path:
        _expect(isinstance(value, str | Path), "a path", value, where)
        return Path(value)
    if hint is float:
        _expect(isinstance(value, int | float) and not isinstance(value, bool), "a number", value, where)
        with contextlib.suppress(OverflowError):
            return float(value)
        raise ConfigError(f"a number for {where}", "one of hundreds of digits", "Change the value.")
    if isinstance(hint, type):
        _expect(isinstance(value, hint) and not (hint is int and isinstance(value, bool)), hint.__name__, value, where)
    return value


def _expect(fits: bool, needed: str, value: Any, where: str) -> None:
    if not fits:
        raise ConfigError(f"{needed} for {where}", repr(value), "Change the value.")
