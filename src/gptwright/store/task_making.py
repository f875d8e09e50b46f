"""Tasks made of what is stored, or of lines of a file; what has a task of the kind gets no second one."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from gptwright.foundations.errors import InputError
from gptwright.store.imports import take_prompt
from gptwright.store.labels import check_label
from gptwright.store.ranking_lines import read_ranking
from gptwright.store.tables import Conversation, Message, Task
from gptwright.store.task_labels import BEHIND
from gptwright.store.tasks import add_task
from gptwright.text.jsonl import Line
from gptwright.tokenizers.chat_templates.chat import read_messages, read_prompt
from gptwright.tokenizers.chat_templates.parts import Message as Turn

TRAINING = 1e6
"""the priority of a training round: it comes before all else"""
MOST_ANSWERS = 9
"""that one person is asked to rank"""


class Wanted(NamedTuple):
    """Which tasks are made. `known`: a line says their labels. `training`: they come first."""

    kind: str
    overlap: int = 1
    guidelines: str = ""
    known: bool = False
    training: bool = False


class Found(NamedTuple):
    """What a line asks: the message that ends the prompt, its answers by id, and the line."""

    asked: str
    answers: list[str]
    line: Line


def add_tasks(session: Session, wanted: Wanted, things: Iterable[tuple[str, Any]]) -> list[str]:
    """Tasks on messages, each with the label that is known or None. Raises `InputError` where that is none."""
    there = set(session.scalars(select(Task.message_id).where(Task.kind == wanted.kind)))
    made: list[str] = []
    for message_id, known in things:
        if message_id in there:
            continue
        there.add(message_id)
        fields: dict[str, Any] = {"guidelines": wanted.guidelines}
        if known is not None:
            check_label(session, wanted.kind, message_id, known)
            fields |= {"known": known, "training": wanted.training}
        priority = TRAINING if wanted.training else 0.0
        task = add_task(session, wanted.kind, message_id, overlap=wanted.overlap, priority=priority, fields=fields)
        made.append(task.id)
    return made


def make_tasks(session: Session, wanted: Wanted, owner: str, most: int) -> list[str]:
    """Up to `most` tasks on what suits their kind in the owner's conversations and in imported ones, the newest first:
    a question with answers to rank or to choose from, a question to answer, an answer to judge."""
    there = select(Task.message_id).where(Task.kind == wanted.kind)
    suits = select(Message.id).join(Conversation, Conversation.id == Message.conversation_id)
    suits = suits.where(Conversation.owner.in_((owner, "")), Conversation.deleted.is_(None), Message.deleted.is_(None))
    suits = suits.where(Message.id.not_in(there))
    if wanted.kind in ("ranking", "preference"):
        answer = aliased(Message)
        answers = answer.parent_id == Message.id, answer.role == "assistant", answer.deleted.is_(None)
        count = select(func.count()).where(*answers).scalar_subquery()
        suits = suits.where(count.between(2, 2 if wanted.kind == "preference" else MOST_ANSWERS))
    else:
        suits = suits.where(Message.role == ("user" if wanted.kind in BEHIND else "assistant"))
    newest = session.scalars(suits.order_by(Message.number.desc()).limit(most))
    return add_tasks(session, wanted, [(id, None) for id in newest])


def tasks_of_lines(session: Session, wanted: Wanted, lines: Sequence[Line]) -> list[str]:
    """Tasks on prompts, with answers where a line has them; the same line again makes none.

    Raises `InputError` naming a line without what the kind needs.
    """
    return add_tasks(session, wanted, [thing for line in lines for thing in _things(session, wanted, line)])


def _things(session: Session, wanted: Wanted, line: Line) -> list[tuple[str, Any]]:
    found = _taken(session, line)
    if wanted.kind not in BEHIND:
        _need(found.answers, "an answer that is judged", line)
        return [(answer, _known(wanted, found, line)) for answer in found.answers]
    if wanted.kind == "ranking":
        _need(2 <= len(found.answers) <= MOST_ANSWERS, f"2 to {MOST_ANSWERS} answers", line)
    if wanted.kind == "preference":
        _need(len(found.answers) == 2, "two answers", line)
    return [(found.asked, _known(wanted, found, line))]


def _need(there: object, what: str, line: Line) -> None:
    if not there:
        raise InputError(f"{what} in {line.where}", "a line without", 'Add "answers", or choose another kind of task.')


def _taken(session: Session, line: Line) -> Found:
    """The prompt and the answers of a line of any shape, in the store."""
    turns, answers = _read(line)
    models = line.get("models") if isinstance(line.get("models"), list) else [line.get("model")] * len(answers)
    asked, ids = take_prompt(session, turns, answers, models=[str(name or "") for name in cast("list[Any]", models)])
    return Found(asked, ids, line)


def _read(line: Line) -> tuple[Sequence[Turn], list[str]]:
    ranked = line.get("chosen") is not None or line.get("ranks") is not None
    if ranked:
        ranking = read_ranking(line)
        return ranking.messages, ranking.answers
    answers: Any = line.get("answers")
    if answers is not None:
        fits = isinstance(answers, list) and all(isinstance(one, str) for one in cast("list[Any]", answers))
        _need(fits, "a list of texts as 'answers'", line)
        return read_prompt(line, line.where), answers
    messages = line.get("messages")
    turns = read_messages(messages, line.where) if messages is not None else read_prompt(line, line.where)
    if len(turns) > 1 and turns[-1]["role"] == "assistant":
        return turns[:-1], [turns[-1]["content"]]
    return turns, []


def _known(wanted: Wanted, found: Found, line: Line) -> Any:
    """The label that the line says."""
    if not wanted.known:
        return None
    if wanted.kind in ("ranking", "preference"):
        ranks = read_ranking(line).ranks
        if wanted.kind == "ranking":
            return {"answers": found.answers, "ranks": ranks}
        strength = int(line.get("strength") or 3) if ranks[0] != ranks[1] else 0
        return {"answers": found.answers, "strength": strength if ranks[0] < ranks[1] else -strength}
    known = line.get(wanted.kind)
    _need(known is not None, f"'{wanted.kind}', the known label,", line)
    return known
