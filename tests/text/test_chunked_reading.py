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


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 50, 400])
@pytest.mark.parametrize("size", [1, 300])
def test_chunks_are_the_file_and_records_are_told_once(
    tmp_path: Path, rows: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked_reading, "FIRST_CHUNK", size)
    monkeypatch.setattr(chunked_reading, "LARGEST_CHUNK", 8 * size)
    path = write(tmp_path / "a.jsonl", rows)
    told: list[Counter[tuple[str, str]]] = [Counter(), Counter()]
    whole = list(read_file(path, lambda *what: told[0].update([what])))
    assert list(read_in_chunks(path, lambda *what: told[1].update([what]))) == whole
    assert told[0] == told[1]


def test_no_file_stays_open_between_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_reading, "FIRST_CHUNK", 100)
    streams = [read_in_chunks(write(tmp_path / f"{i}.jsonl", 40), lambda *what: None) for i in range(3)]
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for stream in streams:
        next(stream)
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    assert before == after
