"""How much of each source a model reads: shares of the tokens, or how often each source is read.

    tokens = 3_000_000          # of the mixture; left out: as many as the text has
    [shares]                    # any numbers: only their ratios count
    "crawl*" = 60
    "wiki.jsonl" = 3
    [epochs]                    # instead of shares
    "crawl*" = 0.44

A name is that of a source, or a pattern; a source belongs to the first that fits it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from gptwright.foundations.errors import ConfigError, InputError, found_at, nearest

GPT3 = {"common-crawl*": 60.0, "webtext2*": 22.0, "books1*": 8.0, "books2*": 8.0, "wikipedia*": 3.0}
"""percent of what it read (Brown et al. 2020, table 2.2, where they sum to 101)"""
SUFFIX = ".toml"
Kind = Literal["shares", "epochs"]
_KINDS: tuple[Kind, ...] = ("shares", "epochs")
KEYS = ("tokens", "shares", "epochs")
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mix:
    """`numbers` by pattern are shares or epochs; `tokens` is the size of a mixture of shares, if it is given."""

    kind: Kind
    numbers: Mapping[str, float]
    tokens: int | None = None

    def groups(self, sources: Sequence[str]) -> dict[str, str]:
        """The pattern of every source. Raises `ConfigError` for a source without one and a pattern without any."""
        found = {source: next((name for name in self.numbers if fnmatchcase(source, name)), None)
                 for source in dict.fromkeys(sources)}  # fmt: skip
        for source, name in found.items():
            if name is None:
                raise ConfigError(f"a name in the mix for the source {source}", ", ".join(self.numbers),
                                  'Add it; "*" = 0 leaves out all others.')  # fmt: skip
        for name, number in self.numbers.items():
            if number and name not in found.values():
                raise ConfigError(f"a source for {name} in the mix", ", ".join(found), nearest(name, found))
        return cast("dict[str, str]", found)

    def wanted(self, tokens: Mapping[str, int]) -> dict[str, int]:
        """Tokens of every group in the mixture, of those that it has."""
        if self.kind == "epochs":
            return {name: round(self.numbers[name] * count) for name, count in tokens.items()}
        total = self.tokens or sum(tokens.values())
        whole = sum(self.numbers[name] for name in tokens)
        return {name: round(total * self.numbers[name] / whole) for name in tokens}


def read_mix(name: str) -> Mix:
    """`gpt3`, or what a .toml file says.

    Raises `InputError` when it is not there or no TOML, `ConfigError` naming what it says wrongly.
    """
    if name == "gpt3":
        return Mix("shares", GPT3)
    path = Path(name)
    if path.suffix != SUFFIX or not path.is_file():
        raise InputError("gpt3, or a .toml file with a mix", f"{name}, {found_at(path)}", "Correct the path.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"TOML in {path}", f"something else ({error})", "Mend the file.") from error
    return _mix(table, path)


def _mix(table: Mapping[str, Any], path: Path) -> Mix:
    for key in table:
        if key not in KEYS:
            raise ConfigError(f"tokens, shares or epochs in {path}", f"'{key}'", nearest(key, KEYS))
    kinds: list[Kind] = [kind for kind in _KINDS if kind in table]
    if len(kinds) != 1:
        raise ConfigError(f"a table of shares or one of epochs in {path}", " and ".join(kinds) or "none", "Give one.")
    (kind,) = kinds
    numbers = table[kind]
    if not isinstance(numbers, dict) or not all(_is_share(number) for number in numbers.values()):
        raise ConfigError(f"numbers of at least 0 as {kind} in {path}", str(numbers), "Correct them.")
    tokens = table.get("tokens")
    if tokens is not None and (kind == "epochs" or type(tokens) is not int or tokens < 1):
        raise ConfigError(f"tokens, a whole number, beside shares in {path}", f"{tokens!r} beside {kind}",
                          "Correct it, or leave it out.")  # fmt: skip
    if not any(numbers.values()):
        raise ConfigError(f"a number above 0 in {path}", str(numbers), "Correct them.")
    return Mix(kind, numbers, tokens)


def _is_share(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number) and number >= 0


def chosen_documents(tokens: Integers, lots: Floats, wanted: int) -> Integers:
    """Numbers of documents of a group, as often as they are to be read, rising within every reading.

    All of them as often as the tokens wanted are their `tokens`, and then those of the least lots, up to the number
    whose tokens come nearest to what is left.
    """
    whole = int(tokens.sum())
    times, rest = divmod(wanted, whole)
    order = np.argsort(lots, kind="stable")
    sums = np.concatenate(([0], np.cumsum(tokens[order])))
    some = np.sort(order[: int(np.abs(sums - rest).argmin())])
    return np.concatenate([np.tile(np.arange(len(tokens)), times), some]).astype(np.int64)
