import gzip
import tracemalloc
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text import compression, long_lines
from gptwright.text.find import find
from gptwright.text.lint.lint_files import UNREADABLE, Linter
from gptwright.text.long_lines import TOO_LONG, read_lined
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions

MIB = 2**20


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_lines, "LONGEST_LINE", 100)
    monkeypatch.setattr(long_lines, "_PIECE", 16)


def test_a_line_without_end_is_dropped_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "' + "a" * 1_000 + '"}\n{"text": "two"}\n{"text": "' + "b" * 250)
    skipped: list[str] = []
    documents = list(read_file(path, lambda source, reason: skipped.append(reason)))
    assert [each.text for each in documents] == ["one", "two"] and skipped == [TOO_LONG] * 2
    path.write_text('{"text": "' + "a" * 1_000 + '"}\nno object\n')
    with pytest.raises(InputError, match="line 2 of"):
        list(read_file(path))


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.xhtml", "a.txt.gz", "a.py"])
@pytest.mark.parametrize(("size", "stays"), [(99, True), (100, True), (101, False), (1_000, False)])
def test_a_text_with_a_line_that_is_too_long_is_dropped_and_told(
    name: str, size: int, stays: bool, tmp_path: Path
) -> None:
    path = tmp_path / "tree" / name
    path.parent.mkdir()
    begin = b"# one\n" + b"words of it\n" * 20
    data = begin + b"a " * (size // 2) + b"a" * (size % 2) + b"\r" + begin
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    skipped: list[tuple[str, str]] = []
    options = ReadOptions(trees=find([f"code:{path.parent}"]).trees) if name == "a.py" else None
    documents = list(read_file(path, lambda *what: skipped.append(what), options))
    assert [d.text.count("words of it") for d in documents] == [40] * stays
    assert skipped == [("tree" if name == "a.py" else name, TOO_LONG)] * (not stays)


@pytest.mark.parametrize("name", ["a.txt", "a.html"])
def test_lint_names_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a" * 1_000)
    (found,) = Linter(10**6).findings(tmp_path / name)
    assert found.kind == UNREADABLE


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz"])
def test_of_a_line_without_end_no_more_than_the_bound_is_held(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_lines, "LONGEST_LINE", 2 * MIB)
    monkeypatch.setattr(long_lines, "_PIECE", MIB // 4)
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"a" * 64 * MIB))
    skipped: list[str] = []
    tracemalloc.start()
    try:
        assert not list(read_file(path, lambda source, reason: skipped.append(reason)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert skipped == [TOO_LONG] and peak < 4 * MIB


def test_lines_of_every_length_that_fits_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    for size in (0, 1, 15, 16, 17, 31, 32, 99):
        data = (b"a" * size + b"\n") * 50
        path.write_bytes(data)
        with path.open("rb") as file:
            assert read_lined(file, path) == data
    monkeypatch.setattr(compression, "MAX_BYTES", 50)
    monkeypatch.setattr(long_lines, "MAX_BYTES", 50)
    with path.open("rb") as file, pytest.raises(InputError, match="of text in one document"):
        read_lined(file, path)
