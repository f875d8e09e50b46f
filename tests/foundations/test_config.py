from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.config import decode, encode
from gptwright.foundations.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Outer:
    path: Path
    steps: int = 3
    name: str = "x"
    fast: bool = False
    limit: int | None = None
    files: tuple[Path, ...] = ()
    inner: Inner = field(default_factory=Inner)


def test_a_configuration_comes_back_through_plain_data() -> None:
    config = Outer(path=Path("a/b"), limit=4, files=(Path("c"), Path("d")), inner=Inner(0.5))
    table = encode(config)
    assert table == {
        "path": "a/b", "steps": 3, "name": "x", "fast": False, "limit": 4, "files": ["c", "d"], "inner": {"rate": 0.5}
    }  # fmt: skip
    assert decode(Outer, table, "outer") == config
    assert decode(Outer, encode(Outer(path=Path("p"))), "outer") == Outer(path=Path("p"))


def test_none_is_left_out_because_toml_has_none() -> None:
    assert "limit" not in encode(Outer(path=Path("p")))


def test_an_int_is_a_number_too() -> None:
    found = decode(Inner, {"rate": 1}, "inner")
    assert found.rate == 1.0 and isinstance(found.rate, float)


def test_upper_floors_say_how_their_types_are_read() -> None:
    found = decode(
        Outer, {"path": "p", "inner": "fast"}, "outer", {Inner: lambda value: Inner(9.0 if value == "fast" else 0)}
    )
    assert found.inner == Inner(9.0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"path": "p", "stepps": 1}, "a key of outer; got 'stepps'.\n  Did you mean 'steps'?"),
        ({"path": "p", "inner": {"rat": 1}}, "a key of outer.inner; got 'rat'.\n  Did you mean 'rate'?"),
        ({}, "the key 'path' in outer"),
        ({"path": 3}, "a path for outer.path; got 3"),
        ({"path": "p", "steps": "1"}, "int for outer.steps; got '1'"),
        ({"path": "p", "steps": 1.0}, "int for outer.steps; got 1.0"),
        ({"path": "p", "steps": True}, "int for outer.steps; got True"),
        ({"path": "p", "fast": 1}, "bool for outer.fast; got 1"),
        ({"path": "p", "limit": "no"}, "int for outer.limit; got 'no'"),
        ({"path": "p", "files": "c"}, "a list for outer.files; got 'c'"),
        ({"path": "p", "inner": 3}, "a table for outer.inner; got 3"),
        ({"path": "p", "inner": {"rate": "0.1"}}, "a number for outer.inner.rate; got '0.1'"),
        ({"path": "p", "inner": {"rate": True}}, "a number for outer.inner.rate; got True"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        decode(Outer, table, "outer")
    assert said in str(error.value)
