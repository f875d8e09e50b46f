"""Hyper-parameters of a paper under a name: literal tables, which decide what stands in them."""

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar

from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Settings

Presets = Mapping[str, Mapping[str, Any]]


class HasPreset(Settings, Protocol):
    """Options with `--preset`."""

    @property
    def preset(self) -> str: ...


P = TypeVar("P", bound=HasPreset)


def check_preset(config: HasPreset, presets: Presets, free: Collection[str] = ()) -> None:
    """Raises `ConfigError` for an unknown preset, or a number beside it that it decides and that is not `free`."""
    if not config.preset:
        return
    known(config.preset, presets, "preset")
    preset, given = presets[config.preset], _given(config)
    beside = [name for name in preset if name in given and name not in free and given[name] != preset[name]]
    if beside:
        raise ConfigError(f"either preset or {beside[0]}", "both", f"A preset decides {', '.join(preset)}.")


def with_preset(config: P, presets: Presets, free: Collection[str] = ()) -> P:
    """The same with the preset's numbers in their places; those that are `free` only where none is given."""
    if not config.preset:
        return config
    mine = {name for name in _given(config) if name in free}
    decided = {name: value for name, value in presets[config.preset].items() if name not in mine}
    return replace(config, preset="", **decided)


def _given(config: Settings) -> dict[str, Any]:
    """What differs from the defaults."""
    values = {field.name: (getattr(config, field.name), field.default) for field in fields(config)}
    return {name: value for name, (value, default) in values.items() if value != default}
