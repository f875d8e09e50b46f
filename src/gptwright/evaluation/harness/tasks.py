"""Which tasks are meant: by a name or tag of those that come with gptwright, or by a file or folder of one's own."""

from functools import cache
from pathlib import Path

from gptwright.evaluation.harness.core_config import Core, is_core, read_core
from gptwright.evaluation.harness.task_config import TaskConfig, read_task, read_task_folder
from gptwright.foundations.errors import InputError, nearest

TASK_FILES = Path(__file__).parents[1] / "task_files"


def find_tasks(words: str) -> list[TaskConfig | Core]:
    """The tasks that words with commas between them name, each once. Raises `InputError` for one that is none."""
    found = [task for word in words.split(",") for task in _meant(word.strip())]
    return [task for place, task in enumerate(found) if task not in found[:place]]


def _meant(word: str) -> list[TaskConfig] | list[Core]:
    path = Path(word)
    core = path / "core.yaml" if path.is_dir() else path
    if is_core(core):
        return [read_core(core)]
    if path.is_dir():
        return list(read_task_folder(path).values())
    if path.suffix in (".yaml", ".yml"):
        return [read_task(path)]
    ours = _read_once(TASK_FILES)
    found = [ours[word]] if word in ours else [task for task in ours.values() if word in task.tags]
    if not found:
        names = {name for task in ours.values() for name in (task.task, *task.tags)}
        raise InputError("the name or tag of a task, or the path of its file", f"'{word}'", nearest(word, names))
    return found


@cache
def _read_once(folder: Path) -> dict[str, TaskConfig]:
    """The tasks of a folder, of which several words may be given."""
    return read_task_folder(folder)
