from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import read_objects, write_objects


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_objects(tmp_path / "a.jsonl", [{"text": "é\n"}, {"score": 0.1}])
    assert read_objects(tmp_path / "a.jsonl") == [{"text": "é\n"}, {"score": 0.1}]


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"score": 1}\n{"ranks": [1, ' + name + "]}\n")
    with pytest.raises(InputError, match=rf"JSON on line 2 of .*a\.jsonl; got {name} is no number"):
        read_objects(tmp_path / "a.jsonl")


def test_lines_know_where_they_stand_blank_ones_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n\n{"split": "Dev"}\n{"split": "tset"}\n')
    one, two, three = read_objects(tmp_path / "a.jsonl")
    assert (one.where, two.where) == (f"line 2 of {tmp_path}/a.jsonl", f"line 4 of {tmp_path}/a.jsonl")
    assert (one.split, two.split) == (None, "heldout")
    with pytest.raises(InputError, match=r"split in line 5 of .*a\.jsonl; got 'tset'"):
        _ = three.split


def test_json_without_measure_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n" + '{"a":' * 100_000 + "1" + "}" * 100_000)
    with pytest.raises(InputError, match="line 2"):
        read_objects(tmp_path / "a.jsonl")
