"""Settings that make no sense are refused when a configuration is made: before the first stage of a recipe starts."""

from collections.abc import Iterable
from typing import Any, Literal

from gptwright.foundations.errors import ConfigError, nearest

Dtype = Literal["auto", "float32", "bfloat16", "int8", "int4"]
"""formats in which a model writes; "auto" is the fastest that is as exact as its weights"""


def positive(config: Any, *names: str) -> None:
    """Raises `ConfigError` for the first of these settings that is not above 0."""
    for name in names:
        value: float = getattr(config, name)
        if not value > 0:
            raise ConfigError(f"{name} above 0", str(value), "Change it.")


def at_least(least: int, config: Any, *names: str) -> None:
    """Raises `ConfigError` for the first of these settings that is below `least`."""
    for name in names:
        value: int = getattr(config, name)
        if value < least:
            raise ConfigError(f"{name} of at least {least}", str(value), "Raise it.")


def within_context(length: int, context: int) -> None:
    """Raises `ConfigError` for windows that are longer than what a model sees at once."""
    if length > context:
        raise ConfigError(f"windows of at most the context, {context}", f"length = {length}",
                          "Lower length or raise the model's context.")  # fmt: skip


def known(word: str, words: Iterable[str], what: str) -> None:
    """Raises `ConfigError` with the nearest word when `word` is none of `words`."""
    if word not in words:
        raise ConfigError(f"a {what}", f"'{word}'", nearest(word, words))
