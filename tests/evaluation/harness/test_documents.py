"""Documents from files of each kind, and where they are looked for."""

import lzma
from pathlib import Path
from typing import Any

import pytest

from gptwright.evaluation.harness.documents import read_documents
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.foundations.errors import InputError


def task(folder: Path, path: str, *files: str, **fields: Any) -> TaskConfig:
    data = dict(zip(("test", "train"), files, strict=False))
    return TaskConfig.model_validate({
        "task": "made", "dataset_path": path, "test_split": "test", "doc_to_target": "text",
        "dataset_kwargs": {"data_files": data, **fields}, "folder": folder,
    })  # fmt: skip


def test_rows_come_from_tables_and_texts(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.xz").write_bytes(lzma.compress(b'{"text": "we"}\n{"text": "ran"}\n'))
    (tmp_path / "a.csv").write_text('text,label\n"we, too",1\n', "utf-8")
    (tmp_path / "a.txt").write_text("the cat\nsat\n\non\n", "utf-8")
    assert read_documents(task(tmp_path, "json", "a.jsonl.xz"), "test") == [{"text": "we"}, {"text": "ran"}]
    assert read_documents(task(tmp_path, "csv", "a.csv"), "test") == [{"text": "we, too", "label": "1"}]
    units = {
        "line": ["the cat", "sat", "on"],
        "paragraph": ["the cat\nsat", "on\n"],
        "document": ["the cat\nsat\n\non\n"],
    }
    for unit, texts in units.items():
        found = read_documents(task(tmp_path, "text", "a.txt", sample_by=unit), "test")
        assert [line["text"] for line in found] == texts
        assert found[0].where == f"{unit} 1 of {tmp_path / 'a.txt'}"


def test_the_users_folder_comes_before_the_tasks_own(tmp_path: Path) -> None:
    for name in ("own", "given"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(f'{{"text": "{name}"}}\n', "utf-8")
    made = task(tmp_path / "own", "json", "a.jsonl")
    assert read_documents(made, "test")[0]["text"] == "own"
    assert read_documents(made, "test", tmp_path / "given")[0]["text"] == "given"
    assert read_documents(made, "test", tmp_path)[0]["text"] == "own"
    with pytest.raises(InputError, match="--task-data"):
        read_documents(task(tmp_path, "json", "none.jsonl"), "test")


def test_a_file_of_several_splits_is_divided_by_its_rows(tmp_path: Path) -> None:
    rows = '{"text": "a", "split": "train"}\n{"text": "b", "split": "heldout"}\n{"text": "c", "split": "dev"}\n'
    (tmp_path / "a.jsonl").write_text(rows, "utf-8")
    both = task(tmp_path, "json", "a.jsonl", "a.jsonl")
    assert [line["text"] for line in read_documents(both, "test")] == ["b", "c"]
    assert [line["text"] for line in read_documents(both, "train")] == ["a"]
    assert len(read_documents(task(tmp_path, "json", "a.jsonl"), "test")) == 3


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data_files for the split train"):
        read_documents(task(tmp_path, "json", "a.jsonl"), "train")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n', "utf-8")
    with pytest.raises(InputError, match="'EleutherAI/lambada'"):
        read_documents(task(tmp_path, "EleutherAI/lambada", "a.jsonl"), "test")
    with pytest.raises(InputError, match="documents in the split test of made; got none"):
        read_documents(task(tmp_path, "json", "a.jsonl", "a.jsonl"), "test")
