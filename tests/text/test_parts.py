import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text import parts
from gptwright.text.decontaminate import Contamination
from gptwright.text.filters.presets import PRESETS
from gptwright.text.parts import group_files, read_part, scan_parts
from gptwright.text.scan import Scanned, ScanOptions, scan_file

TEXT = " ".join(f"word{i}" for i in range(60))


def write(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts) + '{"messages": []}\n')
    return path


def test_a_part_holds_what_a_scan_gives(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{i}.jsonl", f"{TEXT} {i}", "  layout \r\n of it", "") for i in range(3)]
    options = ScanOptions(filters=(PRESETS["gopher"],), near_duplicates=True, tests=Contamination([TEXT]))
    for some in (options, replace(options, filters=())):
        (path,) = scan_parts(files, some, tmp_path / "parts", 1)
        read, scanned = list(read_part(path)), [row for file in files for row in scan_file(file, some)]
        assert [replace(row, digest=None) for row in read] == [replace(row, digest=None) for row in scanned]
        assert [None if row.digest is None else row.digest.tolist() for row in read] == [
            None if row.digest is None else row.digest.tolist() for row in scanned]  # fmt: skip
    assert len(list((tmp_path / "parts").iterdir())) == 2


def test_what_is_there_is_not_scanned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 1)
    files = [write(tmp_path / f"{i}.jsonl", f"{TEXT} {i}") for i in range(3)]
    first = scan_parts(files, ScanOptions(), tmp_path / "parts", 1)
    whole = [path.read_bytes() for path in first]
    first[1].unlink()
    scanned: list[Path] = []

    def scan(path: Path, options: ScanOptions, table: None) -> Iterator[Scanned]:
        scanned.append(path)
        return scan_file(path, options)

    monkeypatch.setattr(parts, "scan_file", scan)
    assert scan_parts(files, ScanOptions(), tmp_path / "parts", 1) == first
    assert scanned == [files[1]] and [path.read_bytes() for path in first] == whole
    write(files[2], "other text")
    assert scan_parts(files, ScanOptions(), tmp_path / "parts", 1)[:2] == first[:2]
    assert scanned == [files[1], files[2]]


def test_several_processes_write_the_same_bytes_and_errors_come_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", 1)
    files = [write(tmp_path / f"{i}.jsonl", f"{TEXT} {i}") for i in range(4)]
    alone = scan_parts(files, ScanOptions(), tmp_path / "one", 1)
    together = scan_parts(files, ScanOptions(), tmp_path / "two", 2)
    assert [path.name for path in together] == [path.name for path in alone]
    assert [path.read_bytes() for path in together] == [path.read_bytes() for path in alone]
    files[2].write_text("no json\n")
    with pytest.raises(InputError, match=r"2\.jsonl") as raised:
        scan_parts(files, ScanOptions(), tmp_path / "two", 2)
    assert raised.value.remedy == "Mend or delete the line."


def test_files_are_grouped_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 100)
    files = [tmp_path / name for name in "abcde"]
    for path, size in zip(files, (60, 40, 1, 500, 5), strict=True):
        path.write_bytes(b"x" * size)
    assert [[path.name for path in group] for group in group_files(files)] == [["a", "b"], ["c"], ["d"], ["e"]]
