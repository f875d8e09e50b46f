"""Settings that make no sense together are refused when a configuration is made: before a recipe's first stage.

What a number may be by itself stands in its type (`foundations/settings.py`).
"""

from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

from gptwright.foundations.errors import ConfigError, nearest

Dtype = Literal["auto", "float32", "bfloat16", "int8", "int4"]
"""formats in which a model writes; "auto" is the fastest that is as exact as its weights"""


def within_context(length: int, context: int) -> None:
    """Raises `ConfigError` for windows that are longer than what a model sees at once."""
    if length > context:
        raise ConfigError(f"windows of at most the context, {context}", f"sequence_length = {length}",
                          "Lower length or raise the model's context.")  # fmt: skip


def without_password(place: str | None) -> None:
    """Raises `ConfigError` for the URL of a store that holds a password: a stage's folder says what it was given."""
    if place and "://" in place and urlsplit(place).password is not None:
        raise ConfigError("a URL that may be read by others, for from_store", "one with a password",
                          "Leave it out, and give it as PGPASSWORD in the environment, or in ~/.pgpass.")  # fmt: skip


def known(word: str, words: Iterable[str], what: str) -> None:
    """Raises `ConfigError` with the nearest word when `word` is none of `words`."""
    if word not in words:
        raise ConfigError(f"a {what}", f"'{word}'", nearest(word, words))
