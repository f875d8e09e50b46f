"""Ranges end where lines do, and what is read of them together is what is read of the file."""

import json
import os
from pathlib import Path

import pytest

from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.errors import InputError
from gptwright.text.file_ranges import FileRange, ranges
from gptwright.text.read import read_file


def skip(source: str, reason: str) -> None:
    raise AssertionError(reason)


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode())
    return path


def texts(each: FileRange) -> list[str]:
    return [document.text for document in each.read(each.path, skip)]


@pytest.mark.parametrize("most", [1, 7, 30, 31, 500, 10**6])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_ranges_are_the_file(tmp_path: Path, most: int, end: str) -> None:
    lines = [json.dumps({"text": f"text {i} " + "é" * (i % 13)}, ensure_ascii=False) for i in range(40)]
    path = write(tmp_path / "a.jsonl", lines, end)
    found = list(ranges(path, most))
    assert [text for each in found for text in texts(each)] == [each.text for each in read_file(path)]
    assert b"".join(path.read_bytes()[each.begin : each.end] for each in found) == path.read_bytes()
    assert sum(each.size for each in found) == path.stat().st_size
    assert most > 1000 or all(each.size >= most for each in found[:-1])


def test_a_last_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}')
    assert [texts(each) for each in ranges(path, 3)] == [["one"], ["two"]]


def test_what_cannot_be_cut_is_whole(tmp_path: Path) -> None:
    for name in ("a.txt", "a.jsonl.gz", "small.jsonl", "gone.jsonl"):
        path = tmp_path / name
        if name != "gone.jsonl":
            path.write_bytes(b"x\n" * (10 if name == "small.jsonl" else 1_000))
        (whole,) = ranges(path, 100)
        assert whole == FileRange(path)
        assert whole.fingerprint() == (None if name == "gone.jsonl" else (path.stat().st_size, sha256(path)))


def test_a_bad_line_has_its_number_in_the_file(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"text {i}"}) for i in range(40)]
    for bad in ("no json", '{"text": 3}', '\ufeff{"text": ""}'):
        path = write(tmp_path / "a.jsonl", [*lines[:25], bad, *lines])
        with pytest.raises(InputError) as whole:
            list(read_file(path))
        for most in (50, 100, 1_000):
            with pytest.raises(InputError) as cut:
                [texts(each) for each in ranges(path, most)]
            assert str(cut.value) == str(whole.value) and "line 26" in str(cut.value)


def test_one_that_is_gone_has_no_bytes(tmp_path: Path) -> None:
    each = FileRange(tmp_path / "gone.jsonl", 10, 20)
    assert each.fingerprint() is None and each.size == 10
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        texts(each)


def test_one_that_cannot_be_opened_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", ["{}"] * 100)
    assert len(list(ranges(path, 50))) > 2
    monkeypatch.setattr(Path, "open", lambda *_: os.open(tmp_path / "gone", os.O_RDONLY))
    assert list(ranges(path, 50)) == [FileRange(path)]
