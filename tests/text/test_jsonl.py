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
