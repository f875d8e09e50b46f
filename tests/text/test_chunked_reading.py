import json
from collections import Counter
from pathlib import Path

import pytest

from gptwright.text import chunked_reading
from gptwright.text.chunked_reading import read_in_chunks
from gptwright.text.read import read_file


def write(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        for i in range(rows):
            file.write(
                json.dumps({"messages": []} if i % 7 == 3 else {"text": f"text {i} " + "word " * (i % 50)}) + "\n"
            )
    return path


class Told:
    """A `Skip` that counts what it is told."""

    def __init__(self) -> None:
        self.records: Counter[tuple[str, str, str]] = Counter()

    def __call__(self, source: str, reason: str, error: str = "") -> None:
        self.records[source, reason, error] += 1


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 50, 400])
@pytest.mark.parametrize("size", [1, 300])
def test_chunks_are_the_file_and_records_are_told_once(
    tmp_path: Path, rows: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked_reading, "FIRST_CHUNK", size)
    monkeypatch.setattr(chunked_reading, "LARGEST_CHUNK", 8 * size)
    path = write(tmp_path / "a.jsonl", rows)
    at_once, in_chunks = Told(), Told()
    whole = list(read_file(path, at_once))
    assert list(read_in_chunks(path, in_chunks)) == whole
    assert at_once.records == in_chunks.records
    assert at_once.records.total() == len(range(3, rows, 7))


def test_no_file_stays_open_between_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_reading, "FIRST_CHUNK", 100)
    streams = [read_in_chunks(write(tmp_path / f"{i}.jsonl", 40), lambda *what: None) for i in range(3)]
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for stream in streams:
        next(stream)
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    assert before == after
