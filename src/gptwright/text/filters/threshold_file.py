"""A filter of one's own: bounds on signals in a TOML file.

like = "gopher"                   # a published filter to begin with; left out: none
[rules]                           # on a text as it came; `false` takes a rule of `like` away
words = {least = 40}
duplicate_lines = {most = 0.25}
quality = {pareto = 9}
[lines]                           # C4's rules of lines
min_words = 3
terminal = false
[after_lines]                     # on what these leave
sentences = {least = 5}
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.errors import ConfigError, InputError, found_at, nearest
from gptwright.text.filters.line_rules import LineRules
from gptwright.text.filters.presets import PRESETS, ParetoDraw, Preset, Rule, Threshold
from gptwright.text.filters.signals import OF_LINE_RULES, Signals

KEYS = ("like", "rules", "lines", "after_lines")
SUFFIX = ".toml"


def chosen_filter(name: str) -> Preset:
    """The published filter of this name, or the one that a file holds.

    Raises `ConfigError` for another name and for what a file says wrongly, `InputError` when it is not there.
    """
    if name in PRESETS:
        return PRESETS[name]
    if not name.endswith(SUFFIX):
        raise ConfigError("the name of a filter, or a .toml file of bounds", f"'{name}'", nearest(name, PRESETS))
    return read_filter(Path(name))


def read_filter(path: Path) -> Preset:
    """The filter of a file, called as the file is."""
    if not path.is_file():
        raise InputError(f"a file of bounds at {path}", found_at(path), "Correct the path.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"TOML in {path}", f"something else ({error})", "Mend the file.") from error
    _known(table, KEYS, f"a key of {path}")
    base = _base(table.get("like"), path)
    lines = _lines(table["lines"], path) if "lines" in table else base.lines
    after = _rules(table.get("after_lines", {}), base.after_lines, (*Signals(""), *OF_LINE_RULES), path)
    if after and lines is None:
        raise ConfigError(f"[lines] beside [after_lines] in {path}", "none", "Add it, or move the rules to [rules].")
    return Preset(path.stem, _rules(table.get("rules", {}), base.rules, tuple(Signals("")), path), lines, after)


def _base(name: object, path: Path) -> Preset:
    if name is None:
        return Preset(path.stem)
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError(
            f"the name of a published filter as 'like' in {path}", repr(name), nearest(str(name), PRESETS)
        )
    return PRESETS[name]


def _rules(table: object, base: Sequence[Rule], signals: Sequence[str], path: Path) -> tuple[Rule, ...]:
    """Those of the base in their order, each as the table says it anew, and further ones behind them."""
    given = _table(table, f"rules in {path}")
    _known(given, signals, f"a signal in {path}")
    kept = [rule for rule in base if rule.signal not in given]
    changed = {name: _rule(name, bounds, path) for name, bounds in given.items() if bounds is not False}
    order = [rule.signal for rule in base]
    return tuple(sorted([*kept, *changed.values()],
                        key=lambda rule: order.index(rule.signal) if rule.signal in order else len(order)))  # fmt: skip


def _rule(signal: str, bounds: object, path: Path) -> Rule:
    given = _table(bounds, f"bounds of {signal} in {path}")
    _known(given, ("least", "most", "pareto"), f"a bound of {signal} in {path}")
    for name, value in given.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            raise ConfigError(f"a number as {signal}.{name} in {path}", repr(value), "Correct it.")
    if "pareto" in given:
        if len(given) > 1 or given["pareto"] <= 0:
            raise ConfigError(f"a number above 0 alone as {signal}.pareto in {path}", str(given), "Correct it.")
        return ParetoDraw(signal, given["pareto"])
    if not given:
        raise ConfigError(f"a bound of {signal} in {path}", "none", "Give least, most or pareto; false takes it away.")
    least, most = given.get("least"), given.get("most")
    if least is not None and most is not None and least > most:
        raise ConfigError(f"at most {most} as {signal}.least in {path}, or no text stays", str(least), "Correct them.")
    return Threshold(signal, least, most)


def _lines(table: object, path: Path) -> LineRules:
    given = _table(table, f"[lines] in {path}")
    _known(given, ("min_words", "terminal"), f"a key of [lines] in {path}")
    words, terminal = given.get("min_words", 1), given.get("terminal", False)
    if type(words) is not int or words < 0 or type(terminal) is not bool:
        raise ConfigError(f"min_words, a whole number, and terminal, true or false, in [lines] of {path}",
                          f"{words!r} and {terminal!r}", "Correct them.")  # fmt: skip
    return LineRules(words, terminal)


def _table(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"a table of {what}", repr(value), "Write it as {least = 1, most = 2}.")
    return cast("dict[str, Any]", value)


def _known(table: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    for name in table:
        if name not in names:
            raise ConfigError(what, f"'{name}'", nearest(name, names))
