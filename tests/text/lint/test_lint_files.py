"""Files are looked through to their end, and every finding has its file and line."""

import gzip
import json
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.lint.lint_files import Linter


def found(*paths: Path) -> list[tuple[str, str]]:
    linter = Linter(1_000)
    return [(finding.place.rsplit("/", 1)[1], finding.kind) for path in paths for finding in linter.findings(path)]


def test_lines_of_json(tmp_path: Path) -> None:
    lines = [
        {"text": "A good text."},
        {"text": "cafÃ©"},
        {"text": "A good text."},
        {"prompt": "[INST] a", "chosen": ""},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join([*map(json.dumps, lines), "", "{broken", '{"text": "x\x00"}']))
    wanted = [("a.jsonl:2", "mojibake"), ("a.jsonl:3", "duplicate"), ("a.jsonl:4", "empty answer"),
              ("a.jsonl:4", "sign of a chat template"), ("a.jsonl:6", "cannot be read"),
              ("a.jsonl:7", "cannot be read")]  # fmt: skip
    assert found(tmp_path / "a.jsonl") == wanted
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps(lines[1]).encode()))
    assert found(tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz")[6:] == [
        ("b.jsonl.gz:1", "duplicate"),
        ("b.jsonl.gz:1", "mojibake"),
    ]


def test_the_same_under_another_name_and_too_long_together(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "a b " * 100}, {"role": "assistant", "content": "c d e"}]
    rows = [
        {"id": 1, "messages": talk},
        {"id": 2, "messages": talk},
        {"id": 3, "messages": talk[:1], "labels": [1]},
        {
            "id": 3,
            "messages": [{"role": role, "content": str(list(range(100, 250)))} for role in ("user", "assistant")],
        },
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [each for each in found(tmp_path / "a.jsonl") if each[1] in ("duplicate", "too long")] == [
        ("a.jsonl:2", "duplicate"), ("a.jsonl:4", "too long")]  # fmt: skip


def test_plain_text_has_lines_and_a_page_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: a\n---\nOne.\nTwo cafÃ©.\n\n### Human: three\n")
    (tmp_path / "b.html").write_text("<p>One.<p>Two cafÃ©.")
    (tmp_path / "c.txt").write_text(" \n")
    assert found(*(tmp_path / name for name in ("a.md", "b.html", "c.txt"))) == [
        ("a.md:7", "sign of a chat template"), ("a.md:5", "mojibake"), ("b.html#1", "mojibake"),
        ("c.txt", "empty text")]  # fmt: skip


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('prompt,completion\nOne?,"Yes,\nyes."\nTwo?,\nThree?,Â£5\n')
    parquet.write_table(arrow.table({"text": ["Good.", "cafÃ©"]}), tmp_path / "b.parquet")
    assert found(tmp_path / "a.csv", tmp_path / "b.parquet") == [
        ("a.csv:4", "empty answer"), ("a.csv:5", "mojibake"), ("b.parquet:2", "mojibake")]  # fmt: skip


def test_damage_is_a_finding_and_another_kind_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"not gzip")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    assert found(tmp_path / "a.txt.gz") == [("a.txt.gz", "cannot be read")]
    for name in ("b.png", "c.jsonl"):
        with pytest.raises(InputError, match=name):
            found(tmp_path / name)
