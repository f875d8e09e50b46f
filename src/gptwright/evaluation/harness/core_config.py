"""The list of tasks of nanochat's CORE: `core.yaml`, and beside it the documents and what chance scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from gptwright.evaluation.harness.task_config import read_yaml
from gptwright.foundations.errors import InputError
from gptwright.text.tables import read_table


class CoreTask(BaseModel):
    """A task of the list."""

    model_config = ConfigDict(frozen=True, strict=True)
    label: str
    icl_task_type: Literal["multiple_choice", "schema", "language_modeling"]
    dataset_uri: str
    num_fewshot: list[int]
    continuation_delimiter: str = " "


@dataclass(frozen=True)
class Core:
    """The tasks, where their documents lie, and what chance scores in each, from 0 to 1."""

    tasks: Sequence[CoreTask]
    folder: Path
    chance: dict[str, float]


def is_core(path: Path) -> bool:
    """Whether a file is such a list, not a task."""
    return path.is_file() and "icl_tasks" in read_yaml(path)


def read_core(path: Path) -> Core:
    """The list in core.yaml, with eval_data/ and eval_meta_data.csv beside it. Raises `InputError`."""
    try:
        tasks = [CoreTask.model_validate(task) for task in _listed(read_yaml(path)["icl_tasks"])]
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(f"tasks in {path}", got, "Mend the file.") from error
    rows = read_table(path.parent / "eval_meta_data.csv")
    return Core(
        tasks, path.parent / "eval_data", {row["Eval Task"]: float(row["Random baseline"]) / 100 for row in rows}
    )


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]
