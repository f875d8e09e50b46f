"""Pairs to translate: sides, held-out lines, and faults by line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.text.pairs import Pair, interleaved, read_pairs


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_sides_as_the_file_says(tmp_path: Path) -> None:
    lines = [
        {"source": "one", "target": "eins", "split": "train"},
        {"source": "two", "target": "zwei", "split": "heldout", "more": 1},
        {"source": "three", "target": "drei"},
        {"source": "four", "target": "vier", "split": "Test"},
        {"source": "five", "target": "f\u00fcnf", "split": None},
    ]
    sides = read_pairs(write(tmp_path / "pairs.jsonl", lines))
    assert list(interleaved(sides["train"])) == ["one", "eins", "three", "drei", "five", "f\u00fcnf"]
    assert sides["heldout"] == [Pair("two", "zwei"), Pair("four", "vier")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(0, 300), min_size=2, max_size=300).filter(lambda n: len(set(n)) > 1))
def test_without_held_out_lines_some_are_chosen(tmp_path: Path, numbers: list[int]) -> None:
    lines = [{"source": f"s{n}", "target": f"t{i}"} for i, n in enumerate(numbers)]
    sides = read_pairs(write(tmp_path / "pairs.jsonl", lines))
    found = [pair for side in sides.values() for pair in side]
    assert sorted(pair.target for pair in found) == sorted(f"t{i}" for i in range(len(numbers)))
    train, heldout = ({pair.source for pair in sides[side]} for side in ("train", "heldout"))  # pyright: ignore
    assert train and heldout and not train & heldout
    assert read_pairs(tmp_path / "pairs.jsonl") == sides


def test_about_one_in_fifty_is_held_out(tmp_path: Path) -> None:
    lines = [{"source": f"a sentence, number {n}", "target": "x"} for n in range(5000)]
    assert 70 < len(read_pairs(write(tmp_path / "pairs.jsonl", lines))["heldout"]) < 130


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"target": "b"}, "text as 'source' in line 2"),
        ({"source": "a"}, "text as 'target' in line 2"),
        ({"source": "a", "target": 3}, "text as 'target' in line 2"),
        ({"source": " \n", "target": "b"}, "text as 'source' in line 2"),
        ({"source": "a", "target": "b", "split": "tran"}, "as split in line 2"),
        ({"source": "a", "target": "b", "split": 1}, "as split in line 2"),
        (["a", "b"], "a JSON object in line 2"),
    ],
)
def test_what_is_wrong_with_a_line(tmp_path: Path, line: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_pairs(write(tmp_path / "pairs.jsonl", [{"source": "a", "target": "b"}, line]))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"source": "a", "target": "b"}, {"source": "a", "target": "c"}], "none for 'heldout'"),
        ([{"source": "a", "target": "b", "split": "heldout"}], "none for 'train'"),
        ([], "an empty file"),
    ],
)
def test_a_side_that_stays_empty(tmp_path: Path, lines: list[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_pairs(write(tmp_path / "pairs.jsonl", lines))


def test_a_pair_whose_source_is_held_out_is_not_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [("Good day", "a", "heldout"), ("good  day", "b", "train"), ("Night", "c", None)]
    path.write_text("".join(json.dumps({"source": s, "target": t, "split": w}) + "\n" for s, t, w in lines))
    sides = read_pairs(path)
    assert ([p.target for p in sides["train"]], [p.target for p in sides["heldout"]]) == (["c"], ["a"])
    assert "1 pairs for training dropped" in capsys.readouterr().err
