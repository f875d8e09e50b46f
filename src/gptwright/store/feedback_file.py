"""The file in which ratings were kept before there was a store: JSON Lines, one line a rating.

`{"id", "time", "rating": "up"|"down", "messages": [...], "model", "user"}`; the last message is the rated answer. A
later line with the same id and user replaces an earlier one.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.store.database import FILE, Store, open_store
from gptwright.store.imports import take_thumb
from gptwright.tokenizers.chat_templates.parts import Message

FEEDBACK = "feedback.jsonl"
"""its name in the folder of a run"""


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """One rated answer: the last of `messages`."""

    id: str
    time: str
    rating: Literal["up", "down"]
    messages: tuple[Message, ...]
    model: str
    user: str | None = None
    """name of the API key with which it was sent"""


def open_run_store(folder: Path, place: str | None = None) -> Store:
    """The store of a run, or the one at `place`; ratings of an older gptwright in the folder are taken in.

    Raises as `open_store` and `read_feedback` do.
    """
    store = open_store(place or folder / FILE)
    try:
        take_feedback_file(store, folder / FEEDBACK)
    except BaseException:
        store.close()
        raise
    return store


def take_feedback_file(store: Store, path: Path) -> int:
    """Takes in what the store does not have yet, and says how many ratings that were. Raises as `read_feedback`."""
    found = read_feedback(path)
    with store.write() as session:
        taken = sum(
            take_thumb(session, one.messages, one.rating, model=one.model, author=one.user or "", id=one.id,
                       created=_seconds(one.time))
            for one in found
        )  # fmt: skip
    if taken:
        say(f"{taken:,} ratings of {path} are in the store {store.name} now")
    return taken


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return datetime.now(UTC).timestamp()


def read_feedback(path: Path) -> tuple[Feedback, ...]:
    """The newest rating of each answer, in the order in which they were given; nothing when there is no file.

    A line cut short by a crash is passed over with a message. Raises `ArtifactError` naming a line of another kind.
    """
    found: dict[tuple[str, str | None], Feedback] = {}
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        try:
            feedback = _decode(json.loads(line), where) if line.strip() else None
        except ValueError:
            say(f"{where}: cut short, passed over")
            continue
        if feedback:
            found.pop((feedback.id, feedback.user), None)
            found[feedback.id, feedback.user] = feedback
    return tuple(found.values())


def _decode(value: Any, where: str) -> Feedback:
    try:
        record = cast("dict[str, Any]", value)
        messages = tuple(cast("Message", {"role": m["role"], "content": m["content"]}) for m in record["messages"])
        id, time, model = (str(record[name]) for name in ("id", "time", "model"))
        rating = record["rating"] if "rating" in record else record["thumb"]  # "thumb" is what it was called before
    except (KeyError, TypeError) as error:
        raise _not_feedback(where) from error
    if rating not in ("up", "down") or not messages:
        raise _not_feedback(where)
    return Feedback(id=id, time=time, rating=rating, messages=messages, model=model, user=record.get("user"))


def _not_feedback(where: str) -> ArtifactError:
    return ArtifactError(f"a rated answer in {where}", "a line of another kind", "Correct or delete that line.")
