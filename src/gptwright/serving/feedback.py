"""What people thought of the answers: one JSON line a rating, appended and flushed to the disk.

`{"id", "time", "rating": "up"|"down", "messages": [...], "model"}`; the last message is the rated answer. A later line
with the same id replaces an earlier one.
"""

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from gptwright.foundations.atomic_io import translate_os_errors
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say

if TYPE_CHECKING:
    from gptwright.tokenizers.chat_templates.chat import Message

Rating = Literal["up", "down"]


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """One rated answer: the last of `messages`."""

    id: str
    time: str
    rating: Rating
    messages: "tuple[Message, ...]"
    model: str


class FeedbackFile:
    """Appends to the file at `path`, which is made with the first rating."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, messages: "Sequence[Message]", rating: Rating, model: str, id: str | None = None) -> str:
        """Stores one rating durably and returns its id. Raises `ResourceError` when the disk refuses."""
        id = id or _identity(messages)
        record = {
            "id": id,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "rating": rating,
            "messages": list(messages),
            "model": model,
        }
        line = json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n"
        with self._lock, translate_os_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b", buffering=0) as file:
                file.write(b"\n" + line if _is_torn(file.fileno()) else line)
                os.fsync(file.fileno())
        return id


def read_feedback(path: Path) -> tuple[Feedback, ...]:
    """The newest rating for each rated answer, in the order in which they were given; nothing when there is no file.

    A line cut short by a crash is passed over with a message. Raises `ArtifactError` naming a line of another kind.
    """
    found: dict[str, Feedback] = {}
    if not path.exists():
        return ()
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            say(f"{path}, line {number}: cut short, passed over")
            continue
        rating = _decode(value, f"{path}, line {number}")
        found.pop(rating.id, None)
        found[rating.id] = rating
    return tuple(found.values())


def _decode(value: Any, where: str) -> Feedback:
    try:
        record = cast("dict[str, Any]", value)
        messages = tuple(cast("Message", {"role": m["role"], "content": m["content"]}) for m in record["messages"])
        id, time, rating, model = (str(record[name]) for name in ("id", "time", "rating", "model"))
    except (KeyError, TypeError) as error:
        raise _not_feedback(where) from error
    if rating not in ("up", "down") or not messages:
        raise _not_feedback(where)
    return Feedback(id=id, time=time, rating=rating, messages=messages, model=model)


def _not_feedback(where: str) -> ArtifactError:
    return ArtifactError(f"a rated answer in {where}", "a line of another kind", "Correct or delete that line.")


def _identity(messages: "Sequence[Message]") -> str:
    text = json.dumps([[m["role"], m["content"]] for m in messages], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def _is_torn(descriptor: int) -> bool:
    """Whether the file ends in the middle of a line, as after a crash or on a full disk."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
