import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError, ResourceError
from gptwright.foundations.workers import Processes, ThisProcess
from gptwright.text import parts
from gptwright.text.accounting import Accounting
from gptwright.text.decontaminate import Contamination
from gptwright.text.filters.presets import PRESETS
from gptwright.text.parts import Group, group_files, read_part, scan_parts
from gptwright.text.pipeline import CleaningPipeline
from gptwright.text.read_options import ReadOptions
from gptwright.text.scan import Read, Scanned, ScanOptions, scan_file

TEXT = " ".join(f"word{i}" for i in range(60))


def write(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts) + '{"messages": []}\n')
    return path


def groups(files: list[Path]) -> list[Group]:
    return list(group_files(files))


def test_records_without_text_are_held_once_for_each_reason(tmp_path: Path) -> None:
    path, bad = tmp_path / "rows.jsonl", '{"messages": []}\n[7]\n'
    path.write_text(bad * 500 + json.dumps({"text": TEXT}) + "\n" + bad * 2)
    rows = list(scan_file(path, ScanOptions(reading=ReadOptions(skip_unreadable=True))))
    assert [(row.reason, row.times) for row in rows] == [
        ("conversation", 500),
        ("a record that cannot be read", 500),
        (None, 1),
        ("conversation", 2),
        ("a record that cannot be read", 2),
    ]
    assert "line 2 of" in rows[1].error and not rows[4].error
    accounting = Accounting()
    assert len(list(CleaningPipeline(accounting).keep(rows))) == 1
    stats = accounting.sources["rows.jsonl"]
    assert stats.dropped == {"conversation": 502, "a record that cannot be read": 502}
    assert stats.documents_in == 1004  # those that are kept are counted where they are written
    assert len(list(filter(None, accounting.unreadable.values()))) == 1


@pytest.mark.parametrize(("parts_at", "signals_at"), [("file/parts", None), ("parts", "file/signals")])
def test_a_folder_that_cannot_be_is_named_with_its_option(
    tmp_path: Path, parts_at: str, signals_at: str | None
) -> None:
    (tmp_path / "file").write_text("in the way")
    files, signals = [write(tmp_path / "a.jsonl", TEXT)], tmp_path / signals_at if signals_at else None
    with pytest.raises(ResourceError) as refused:
        scan_parts(groups(files), ScanOptions(), tmp_path / parts_at, ThisProcess(), signals)
    option = "signals" if signals_at else "parts"
    assert f"a folder at {tmp_path}/file/{option}" in str(refused.value) and f"with --{option}." in refused.value.remedy


def test_a_part_holds_what_a_scan_gives(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{i}.jsonl", f"{TEXT} {i}", "  layout \r\n of it", "") for i in range(3)]
    options = ScanOptions(filters=(PRESETS["gopher"],), near_duplicates=True, tests=Contamination([TEXT]))
    for some in (options, replace(options, filters=())):
        (path,) = scan_parts(groups(files), some, tmp_path / "parts", ThisProcess())
        read, scanned = list(read_part(path)), [row for file in files for row in scan_file(file, some)]
        assert [replace(row, digest=None) for row in read] == [replace(row, digest=None) for row in scanned]
        assert [None if row.digest is None else row.digest.tolist() for row in read] == [
            None if row.digest is None else row.digest.tolist() for row in scanned]  # fmt: skip
    assert len(list((tmp_path / "parts").iterdir())) == 2


def test_what_is_there_is_not_scanned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 600)  # a file each
    files = [write(tmp_path / f"{i}.jsonl", f"{TEXT} {i}") for i in range(3)]
    first = scan_parts(groups(files), ScanOptions(), tmp_path / "parts", ThisProcess())
    whole = [path.read_bytes() for path in first]
    first[1].unlink()
    scanned: list[Path] = []

    def scan(path: Path, options: ScanOptions, read: Read, table: None) -> Iterator[Scanned]:
        scanned.append(path)
        return scan_file(path, options, read)

    monkeypatch.setattr(parts, "scan_file", scan)
    assert scan_parts(groups(files), ScanOptions(), tmp_path / "parts", ThisProcess()) == first
    assert scanned == [files[1]] and [path.read_bytes() for path in first] == whole
    write(files[2], f"{TEXT} other")
    assert scan_parts(groups(files), ScanOptions(), tmp_path / "parts", ThisProcess())[:2] == first[:2]
    assert scanned == [files[1], files[2]]


def test_several_processes_write_the_same_bytes_and_errors_come_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", 600)  # a file each
    files = [write(tmp_path / f"{i}.jsonl", f"{TEXT} {i}") for i in range(4)]
    alone = scan_parts(groups(files), ScanOptions(), tmp_path / "one", ThisProcess())
    together = scan_parts(groups(files), ScanOptions(), tmp_path / "two", Processes(2))
    assert [path.name for path in together] == [path.name for path in alone]
    assert [path.read_bytes() for path in together] == [path.read_bytes() for path in alone]
    files[2].write_text("no json\n")
    with pytest.raises(InputError, match=r"2\.jsonl") as raised:
        scan_parts(groups(files), ScanOptions(), tmp_path / "two", Processes(2))
    assert raised.value.remedy == "Mend or delete the line."


def test_files_are_grouped_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 100)
    files = [tmp_path / name for name in "abcde"]
    for path, size in zip(files, (60, 40, 1, 500, 5), strict=True):
        path.write_bytes(b"x" * size)
    assert [[each.path.name for each in group] for group in groups(files)] == [["a", "b"], ["c"], ["d"], ["e"]]


def test_a_large_file_of_lines_is_several_parts_and_its_lines_stay_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write(tmp_path / f"{i}.jsonl", *(f"{TEXT} {i} {k}" for k in range(40))) for i in range(2)]
    (whole,) = scan_parts(groups(files), ScanOptions(), tmp_path / "whole", ThisProcess())
    monkeypatch.setattr(parts, "PART", 4_000)
    cut = scan_parts(groups(files), ScanOptions(), tmp_path / "cut", Processes(2))
    assert len(cut) == len(set(cut)) == 10
    rows = [row for path in cut for row in read_part(path)]
    assert rows == list(read_part(whole)) and len(rows) == 82


def test_a_part_of_programs_is_another_under_another_licence(tmp_path: Path) -> None:
    tree, licence = tmp_path / "tree", tmp_path / "tree" / "LICENSE"
    (tree / "src").mkdir(parents=True)
    (tree / "src" / "a.py").write_text("print(1)\n")
    options = ScanOptions(reading=ReadOptions(trees=(tree,), licence="permissive"))

    def scan() -> tuple[Path, list[tuple[str, str | None]]]:
        (path,) = scan_parts(groups([tree / "src" / "a.py"]), options, tmp_path / "parts", ThisProcess())
        return path, [(row.document.licence, row.reason) for row in read_part(path)]

    without, rows = scan()
    assert rows == [("", "licence: unknown")]
    licence.write_text("Permission is hereby granted, free of charge. The above copyright notice …")
    under_mit, rows = scan()
    assert rows == [("MIT", None)]
    licence.write_text("GNU General Public License")
    under_gpl, rows = scan()
    assert rows == [("", "licence: GPL-2.0")] and len({without, under_mit, under_gpl}) == 3
    licence.unlink()
    assert scan()[0] == without


def test_a_part_of_a_package_is_another_under_another_licence_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Path] = []
    for place, licence in (("a", "MIT"), ("b", "MIT"), ("c", "GPL-3.0-only")):
        monkeypatch.setenv("GPTWRIGHT_CACHE", str(tmp_path / place))
        kept = tmp_path / place / "packages" / "npm" / "x%401"
        (kept / "files").mkdir(parents=True)
        (kept / "package.json").write_text(json.dumps({"package": "npm:x@1", "licence": licence}))
        file = write(kept / "files" / "a.jsonl", TEXT)
        found += scan_parts(groups([file]), ScanOptions(), tmp_path / "parts", ThisProcess())
        assert [row.document.licence for row in read_part(found[-1])] == [licence, ""]
    assert found[0] == found[1] != found[2]
