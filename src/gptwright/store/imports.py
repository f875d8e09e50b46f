"""Labels from elsewhere, taken in once: the same line again changes nothing, so that files may be merged.

The ids of what is taken in are made of what it says. A line that a file holds twice is two labels: the second has
another `copy`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.store.labels import annotate
from gptwright.store.messages import as_parts, digest, insert_new, keep_turns
from gptwright.store.tables import Annotation, Conversation, Message
from gptwright.tokenizers.chat_templates.parts import Message as Turn


def take_ranking(
    session: Session,
    turns: Sequence[Turn],
    answers: Sequence[str],
    ranks: Sequence[int],
    *,
    models: Sequence[str],
    author: str,
    fields: Mapping[str, Any],
    copy: int = 0,
) -> bool:
    """A prompt, its answers by `models`, their ranks by `author`, and what else was said. False when it is there."""
    said = [[turn["role"], turn["content"]] for turn in turns]
    root = digest("ranking", said, answers, ranks, models, author, fields, copy)
    if not insert_new(session, Conversation, [{"id": root, "fields": dict(fields)}]):
        return False
    last = _add_turns(session, root, turns)
    ids = [digest(root, "answer", at) for at in range(len(answers))]
    insert_new(session, Message, [
        {"id": id, "conversation_id": root, "parent_id": last, "role": "assistant", "content": as_parts(answer),
         "model": model}
        for id, answer, model in zip(ids, answers, models, strict=True)
    ])  # fmt: skip
    annotate(session, "ranking", last, {"answers": ids, "ranks": list(ranks)}, author=author)
    return True


def take_demonstration(
    session: Session, turns: Sequence[Turn], *, author: str, fields: Mapping[str, Any], copy: int = 0
) -> bool:
    """A conversation that shows what to say, by `author`, and what else was said. False when it is there."""
    said = [[turn["role"], turn["content"]] for turn in turns]
    root = digest("demonstration", said, author, fields, copy)
    if not insert_new(session, Conversation, [{"id": root, "fields": dict(fields)}]):
        return False
    annotate(session, "demonstration", _add_turns(session, root, turns), True, author=author)
    return True


def _add_turns(session: Session, root: str, turns: Sequence[Turn]) -> str:
    """The id of the last."""
    ids = [digest(root, at) for at in range(len(turns))]
    insert_new(session, Message, [
        {"id": id, "conversation_id": root, "parent_id": before, "role": turn["role"],
         "content": as_parts(turn["content"])}
        for before, id, turn in zip([None, *ids], ids, turns, strict=False)
    ])  # fmt: skip
    return ids[-1]


def take_thumb(
    session: Session,
    turns: Sequence[Turn],
    rating: str,
    *,
    model: str,
    author: str,
    id: str,
    created: float,
) -> bool:
    """A rating of the last of `turns`, which `model` said. False when this rating, or a later word of it, is there."""
    same = (Annotation.id == id, Annotation.author == author, Annotation.kind == "thumb")
    if session.scalar(select(Annotation.number).where(*same).limit(1)) is not None:
        return False
    message_id = keep_turns(session, turns, owner=author, model=model)
    annotate(session, "thumb", message_id, rating, author=author, id=id, created=created)
    return True


def take_prompt(
    session: Session, turns: Sequence[Turn], answers: Sequence[str], *, models: Sequence[str]
) -> tuple[str, list[str]]:
    """A prompt that is to be labelled, and its answers by `models`: the ids of its last message and of the answers.
    The same again is what is there."""
    root = digest("prompt", [[turn["role"], turn["content"]] for turn in turns], answers, models)
    ids = [digest(root, "answer", at) for at in range(len(answers))]
    if not insert_new(session, Conversation, [{"id": root}]):
        return digest(root, len(turns) - 1), ids
    last = _add_turns(session, root, turns)
    rows = [{"id": id, "conversation_id": root, "parent_id": last, "role": "assistant", "content": as_parts(answer),
             "model": model} for id, answer, model in zip(ids, answers, models, strict=True)]  # fmt: skip
    if rows:
        insert_new(session, Message, rows)
    return last, ids
