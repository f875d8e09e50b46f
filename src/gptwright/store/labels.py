"""Labels: what people say of messages, as a log that only grows.

A label is known by its id, its author and its kind. Saying it again adds a row, and the newest row counts; a row
without a value withdraws it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from gptwright.foundations.errors import InputError, nearest
from gptwright.store.messages import find_message, is_kept, text_of
from gptwright.store.tables import Annotation, Message


class Kind(NamedTuple):
    """What the value of a label must be."""

    needed: str
    fits: Callable[[Session, Message, Any], bool]


def _is_text(_: Session, __: Message, value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_comment(_: Session, message: Message, value: Any) -> bool:
    if not isinstance(value, dict):
        return isinstance(value, str) and bool(value)
    said = cast("dict[str, Any]", value)
    if said.keys() != {"span", "text"} or not (isinstance(said["text"], str) and said["text"]):
        return False
    span = cast("list[Any]", said["span"]) if isinstance(said["span"], list) else []
    if len(span) != 2 or not all(type(end) is int for end in span):
        return False
    return 0 <= span[0] < span[1] <= len(text_of(message.content))


def _is_alternative(session: Session, message: Message, value: Any) -> bool:
    return isinstance(value, str) and value != message.id and _stands_behind(session, message.parent_id, [value])


def _is_ranking(session: Session, message: Message, value: Any) -> bool:
    if not isinstance(value, dict) or cast("dict[str, Any]", value).keys() != {"answers", "ranks"}:
        return False
    answers, ranks = cast("list[Any]", value["answers"]), cast("list[Any]", value["ranks"])
    if not (isinstance(answers, list) and isinstance(ranks, list)):  # pyright: ignore[reportUnnecessaryIsInstance]
        return False
    if len(answers) != len(ranks) or len(answers) < 2 or not all(isinstance(id, str) for id in answers):
        return False
    return all(type(rank) is int and rank >= 1 for rank in ranks) and _stands_behind(session, message.id, answers)


def _stands_behind(session: Session, parent_id: str | None, ids: Sequence[str]) -> bool:
    """Whether these are different messages, all with this parent."""
    found = session.scalars(select(Message.id).where(Message.id.in_(ids), Message.parent_id == parent_id))
    return len(set(found)) == len(ids)


def _is_preference(session: Session, message: Message, value: Any) -> bool:
    if not isinstance(value, dict) or cast("dict[str, Any]", value).keys() != {"answers", "strength"}:
        return False
    answers, strength = cast("Any", value["answers"]), cast("Any", value["strength"])
    if not isinstance(answers, list) or type(strength) is not int or abs(strength) > STRONGEST:
        return False
    ids = cast("list[Any]", answers)
    return len(ids) == 2 and all(isinstance(id, str) for id in ids) and _stands_behind(session, message.id, ids)


def _are_flags(_: Session, __: Message, value: Any) -> bool:
    named = cast("list[Any]", value) if isinstance(value, list) else []
    return isinstance(value, list) and all(flag in FLAGS for flag in named) and len(set(named)) == len(named)


STRONGEST = 3
FLAGS = (
    "fails_instruction", "inappropriate_for_assistant", "hallucination", "violates_constraint", "sexual_content",
    "violent_content", "encourages_harm", "denigrates_protected_class", "harmful_advice", "expresses_opinion",
    "expresses_moral_judgment",
)  # fmt: skip
"""What may be wrong with an answer: the metadata of InstructGPT's labellers (Ouyang et al. 2022, table 3)."""

KINDS = {
    "thumb": Kind("'up' or 'down'", lambda _, __, value: value in ("up", "down")),
    "reason": Kind("a text", _is_text),
    "comment": Kind('a text, or {"span": [start, end], "text"} of some of its characters, counted from 0', _is_comment),
    "skip": Kind("a text: why it was not labelled", _is_text),
    "unsure": Kind("a text: why it could not be decided", _is_text),
    "flags": Kind(f"a list, empty where none is true, of different ones of {', '.join(FLAGS)}", _are_flags),
    "preference": Kind(f'{{"answers": ids of two messages behind it, "strength": a whole number from {-STRONGEST}, the '
                       f'second is much better, to {STRONGEST}, the first is}}', _is_preference),
    "rating": Kind("a whole number from 1 to 7", lambda _, __, value: type(value) is int and 1 <= value <= 7),
    "edit": Kind("the id of a message beside it, which says how it should be", _is_alternative),
    "ranking": Kind('{"answers": ids of messages behind it, "ranks": whole numbers from 1, of which equal ones tie}',
                    _is_ranking),
    "demonstration": Kind("true: the conversation up to here shows what to say", lambda _, __, value: value is True),
}  # fmt: skip


def check_label(session: Session, kind: str, message_id: str, value: object) -> None:
    """Raises `InputError` for an unknown kind or message, and for a value that is none of this kind."""
    if kind not in KINDS:
        raise InputError("a kind of label", f"'{kind}'", nearest(kind, KINDS))
    if not KINDS[kind].fits(session, find_message(session, message_id), value):
        raise InputError(f"for a {kind}, {KINDS[kind].needed}", repr(value)[:80], "Correct the label.")


def annotate(
    session: Session,
    kind: str,
    message_id: str,
    value: object,
    *,
    author: str = "",
    id: str | None = None,
    task_id: str | None = None,
    created: float | None = None,
) -> Annotation:
    """Adds a row to the log. `id`: the message's own unless another is given. Raises as `check_label` does."""
    check_label(session, kind, message_id, value)
    return _added(session, kind=kind, message_id=message_id, value=value, author=author, id=id or message_id,
                  task_id=task_id, **({} if created is None else {"created": created}))  # fmt: skip


def say_label(session: Session, kind: str, message_id: str, value: Any, **known: Any) -> Annotation:
    """A label under `known`: its id, author and task. The same again adds nothing. Raises as `annotate` does."""
    there = newest_label(session, kind, known["id"], known["author"])
    if there and there.value == value and there.message_id == message_id:
        return there
    return annotate(session, kind, message_id, value, **known)


def newest_label(session: Session, kind: str, id: str, author: str) -> Annotation | None:
    """What was last said under this id, if anything; it has no value where that was withdrawn."""
    rows = select(Annotation).where(Annotation.kind == kind, Annotation.id == id, Annotation.author == author)
    return session.scalar(rows.order_by(Annotation.number.desc()).limit(1))


def withdraw(session: Session, kind: str, id: str, *, author: str = "") -> Annotation:
    """The label counts no more; its rows stay. Raises `InputError` when the author gave none."""
    last = newest_label(session, kind, id, author)
    if last is None:
        raise InputError(f"a {kind} of {author or 'nobody'} with the id '{id}'", "none", "Name one that was given.")
    return _added(session, kind=kind, message_id=last.message_id, value=None, author=author, id=id,
                  task_id=last.task_id)  # fmt: skip


def _added(session: Session, **fields: Any) -> Annotation:
    row = Annotation(**fields)
    session.add(row)
    session.flush()
    return row


def labels(
    session: Session,
    *kinds: str,
    author: str | None = None,
    message_id: str | None = None,
    task_id: str | None = None,
    conversation_id: str | None = None,
) -> Sequence[Annotation]:
    """The labels that count, of all kinds or of these, in the order in which they were last said. Those of deleted
    conversations do not. They may be an author's alone, or those of a message, a task or a conversation."""
    later = aliased(Annotation)
    newest = (
        select(func.max(later.number))
        .where(later.id == Annotation.id, later.author == Annotation.author, later.kind == Annotation.kind)
        .scalar_subquery()
    )
    asked = select(Annotation).where(Annotation.number == newest, Annotation.value.is_not(None))
    asked = asked.where(is_kept(Annotation.message_id))
    if kinds:
        asked = asked.where(Annotation.kind.in_(kinds))
    if conversation_id is not None:
        within = select(Message.id).where(Message.conversation_id == conversation_id)
        asked = asked.where(Annotation.message_id.in_(within))
    only = ((Annotation.author, author), (Annotation.message_id, message_id), (Annotation.task_id, task_id))
    for column, value in only:
        if value is not None:
            asked = asked.where(column == value)
    return session.scalars(asked.order_by(Annotation.number)).all()
