"""What a task asks for and what is said of it: all of it or nothing, and the same again changes nothing."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.foundations.errors import InputError
from gptwright.store.labels import labels, say_label, withdraw
from gptwright.store.messages import add_message, digest, find_message
from gptwright.store.tables import Annotation, Message, Task
from gptwright.store.tasks import finish_task, give_back_task

BEHIND = ("ranking", "preference", "demonstration")
"""kinds that are about what follows a message; the others are about the message"""
WRITTEN = frozenset({"edit", "demonstration"})
"""kinds for which the labeller writes a text"""


class Said(NamedTuple):
    """A label of a task: a value, or the text of an edit or a demonstration."""

    kind: str
    message_id: str
    value: Any = None
    text: str | None = None


def answers_of(session: Session, task: Task) -> list[Message]:
    """The answers that are judged together; none of a task that is about one message."""
    if task.kind not in BEHIND:
        return []
    answers = select(Message).where(Message.parent_id == task.message_id, Message.role == "assistant",
                                    Message.deleted.is_(None))  # fmt: skip
    return [*session.scalars(answers.order_by(Message.number))]


def find_task(session: Session, id: str) -> Task:
    """Raises `InputError` when there is none."""
    found = session.scalar(select(Task).where(Task.id == id))
    if found is None:
        raise InputError("the id of a task", f"'{id}'", "Name one that is there.")
    return found


def submit_labels(session: Session, task: Task, said: Sequence[Said], labeller: str) -> list[Annotation]:
    """The labels, in place of those that the labeller gave the task before; its place is done.

    Raises `InputError` when none is of the task's kind, for a message that it is not about, and as `annotate` does.
    """
    given = say_of_task(session, task, said, labeller, label_id)
    withdraw_all_but(session, task, labeller, {(label.kind, label.id) for label in given})
    finish_task(session, task.id, labeller)
    return given


def skip_task(session: Session, task: Task, labeller: str, reason: str, *, unsure: bool) -> bool:
    """The labeller does not do it, and says why. Whether the place was theirs to give back."""
    kind = "unsure" if unsure else "skip"
    say_label(session, kind, task.message_id, reason, id=label_id(task.id, task.message_id), author=labeller,
              task_id=task.id)  # fmt: skip
    return give_back_task(session, task.id, labeller)


def label_id(task_id: str, message_id: str, *span: int) -> str:
    """The id of what a labeller says of a message, or of some of its characters, in a task."""
    return digest("task", task_id, message_id, *span)


def decision_id(task_id: str, message_id: str, *span: int) -> str:
    """The id of what an owner decides where labellers differ."""
    return digest("decision", task_id, message_id, *span)


def say_of_task(session: Session, task: Task, said: Iterable[Said], author: str, id_of: Any) -> list[Annotation]:
    """The labels, each under `id_of` its task, message and span. Raises as `submit_labels` does."""
    every = list(said)
    if task.kind not in {label.kind for label in every}:
        raise InputError(f"a {task.kind} among the labels", ", ".join(sorted({label.kind for label in every})),
                         "Say what the task asks for.")  # fmt: skip
    known = {task.message_id, *(answer.id for answer in answers_of(session, task))}
    if any(label.message_id not in known for label in every):
        raise InputError("labels of the messages of the task", "one of another message", "Correct the label.")
    return [_say(session, task, label, author, id_of) for label in every]


def _say(session: Session, task: Task, label: Said, author: str, id_of: Any) -> Annotation:
    message_id, value = label.message_id, label.value
    if label.text is not None:
        written = _write(session, task, label, author)
        message_id, value = (message_id, written) if label.kind == "edit" else (written, True)
    id = id_of(task.id, label.message_id, *span_of(label.value))
    return say_label(session, label.kind, message_id, value, id=id, author=author, task_id=task.id)


def span_of(value: Any) -> list[Any]:
    """Where a comment is about some characters, these: others of the same message have others."""
    span: Any = cast("dict[str, Any]", value).get("span") if isinstance(value, dict) else None
    return cast("list[Any]", span) if isinstance(span, list) else []


def written_id(task_id: str, author: str, label: Said) -> str:
    """The id of the message with the text that is written."""
    return digest("written", task_id, author, label.kind, label.message_id, label.text)


def _write(session: Session, task: Task, label: Said, author: str) -> str:
    """The id of what the labeller wrote: beside the message that it corrects, or behind what it answers."""
    id = written_id(task.id, author, label)
    if session.scalar(select(Message.id).where(Message.id == id)) is None:
        about = find_message(session, label.message_id)
        parent = about.parent_id if label.kind == "edit" else about.id
        add_message(session, about.conversation_id, parent, "assistant", str(label.text), author=author, id=id)
    return id


def withdraw_all_but(session: Session, task: Task, labeller: str, kept: set[tuple[str, str]]) -> int:
    """How many labels of the task the labeller has no more. What an owner decided stays decided."""
    found = [label for label in labels(session, author=labeller, task_id=task.id)
             if (label.kind, label.id) not in kept and not is_decision(label)]  # fmt: skip
    for label in found:
        withdraw(session, label.kind, label.id, author=labeller)
    return len(found)


def is_decision(label: Annotation) -> bool:
    """Whether it says what counts where labellers differ."""
    return label.task_id is not None and label.id == decision_id(label.task_id, label.message_id)


def counting(session: Session, *kinds: str) -> list[Annotation]:
    """The labels from which something is learned: where an owner decided a task, the decision alone; of tasks whose
    labels are known, none, since they measure the labeller."""
    found = labels(session, *kinds)
    decided = {(label.task_id, label.kind) for label in found if is_decision(label)}
    measuring = {task.id for task in session.scalars(select(Task)) if "known" in task.fields}
    return [label for label in found if label.task_id not in measuring
            and ((label.task_id, label.kind) not in decided or is_decision(label))]  # fmt: skip
