"""What tasks say, so that a corpus can be kept free of it: every text of the documents that they are evaluated on."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from gptwright.evaluation.harness.core_config import Core
from gptwright.evaluation.harness.documents import read_documents
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.foundations.errors import InputError


def task_texts(words: str, task_data: Path | None = None) -> Iterator[str]:
    """The texts of all documents of the tasks that `words` name, with commas between them: questions and answers.

    Raises `InputError` for an unknown task, and for one whose data is not here.
    """
    for task in find_tasks(words):
        if isinstance(task, Core):
            raise InputError("a task by its name, tag, or file, to keep its text out of a corpus", "a core.yaml",
                             "Name the tasks that it is made of.")  # fmt: skip
        for line in read_documents(task, task.held_out, task_data):
            yield from _texts(dict(line))


def _texts(value: object) -> Iterator[str]:
    """Every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in cast("list[object]", value):
            yield from _texts(each)
