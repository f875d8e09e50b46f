"""Labels that were given without a server, taken in: a line that was taken in once changes nothing.

`{"task": ID, "labeller": NAME, "labels": [{"kind", "message_id", "value" or "text"}]}`, or with "skip" (why) and
"unsure" in place of "labels".
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.foundations.errors import InputError
from gptwright.store.tables import Annotation, Task
from gptwright.store.task_labels import Said, find_task, label_id, skip_task, span_of, submit_labels, written_id
from gptwright.text.jsonl import Line


def take_offline(session: Session, lines: Sequence[Line]) -> int:
    """How many lines said something that had never been said. Raises `InputError` naming a line of another kind."""
    return sum(_take(session, line) for line in lines)


def _take(session: Session, line: Line) -> bool:
    task, labeller = find_task(session, str(line.get("task"))), line.get("labeller")
    if not isinstance(labeller, str):
        raise InputError(f"a labeller in {line.where}", repr(labeller)[:60], "Give a file of the offline page.")
    if "skip" in line:
        unsure = bool(line.get("unsure"))
        kind, reason = "unsure" if unsure else "skip", str(line["skip"])
        if _was_said(session, task, Said(kind, task.message_id, reason), labeller):
            return False
        skip_task(session, task, labeller, reason, unsure=unsure)
        return True
    said = [_label(one, line) for one in cast("list[Any]", line.get("labels") or [])]
    if said and all(_was_said(session, task, label, labeller) for label in said):
        return False
    submit_labels(session, task, said, labeller)
    return True


def _label(one: Any, line: Line) -> Said:
    given = cast("Mapping[str, Any]", one if isinstance(one, dict) else {})
    kind, message_id, value, text = (given.get(name) for name in Said._fields)
    if isinstance(kind, str) and isinstance(message_id, str) and (value is None) != (text is None):
        return Said(kind, message_id, value, text if text is None else str(text))
    raise InputError(f"labels with a kind, a message_id and a value or a text in {line.where}", repr(one)[:60],
                     "Give a file of the offline page.")  # fmt: skip


def _was_said(session: Session, task: Task, label: Said, labeller: str) -> bool:
    """Whether the log has it, also where something else was said later: then that counts."""
    id, value = label_id(task.id, label.message_id, *span_of(label.value)), label.value
    if label.text is not None:
        value = written_id(task.id, labeller, label) if label.kind == "edit" else True
    rows = select(Annotation.value, Annotation.message_id).where(
        Annotation.id == id, Annotation.author == labeller, Annotation.kind == label.kind
    )
    about = written_id(task.id, labeller, label) if label.kind == "demonstration" else label.message_id
    return any(said == value and message_id == about for said, message_id in session.execute(rows).tuples())
