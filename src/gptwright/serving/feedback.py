"""Ratings of answers, and where they are stored: by default a JSON Lines file, one line a rating.

`{"id", "time", "rating": "up"|"down", "messages": [...], "model", "user"}`; the last message is the rated answer. A
later line with the same id replaces an earlier one.
"""

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

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
    user: str | None = None
    """name of the API key with which it was sent"""


@runtime_checkable
class FeedbackStore(Protocol):
    """Where ratings are kept. A database fills the same two methods."""

    def add(
        self, messages: "Sequence[Message]", rating: Rating, model: str, id: str | None = None, user: str | None = None
    ) -> str:
        """Stores one rating durably and returns its id. Raises `ResourceError` when it cannot."""
        ...

    def read(self) -> tuple[Feedback, ...]:
        """The newest rating of each answer, in the order in which they were given."""
        ...


class FeedbackFile:
    """A `FeedbackStore` that appends to the file at `path`, flushed to the disk. The first rating makes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(
        self, messages: "Sequence[Message]", rating: Rating, model: str, id: str | None = None, user: str | None = None
    ) -> str:
        """Stores one rating durably and returns its id. Raises `ResourceError` when the disk refuses."""
        id = id or _identity(messages)
        record = {
            "id": id,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "rating": rating,
            "messages": list(messages),
            "model": model,
            "user": user,
        }
        line = (
            json.dumps({name: value for name, value in record.items() if value is not None}, ensure_ascii=False).encode(
                "utf-8"
            )
            + b"\n"
        )
        with self._lock, translate_os_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b", buffering=0) as file:
                file.write(b"\n" + line if _is_torn(file.fileno()) else line)
                os.fsync(file.fileno())
        return id

    def read(self) -> tuple[Feedback, ...]:
        """The newest rating of each answer, in the order in which they were given; nothing when there is no file.

        A line cut short by a crash is passed over with a message. Raises `ArtifactError` naming a line of another kind.
        """
        found: dict[str, Feedback] = {}
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for number, line in enumerate(lines, start=1):
            where = f"{self.path}, line {number}"
            try:
                feedback = _decode(json.loads(line), where) if line.strip() else None
            except ValueError:
                say(f"{where}: cut short, passed over")
                continue
            if feedback:
                found.pop(feedback.id, None)
                found[feedback.id] = feedback
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


def _identity(messages: "Sequence[Message]") -> str:
    text = json.dumps([[m["role"], m["content"]] for m in messages], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def _is_torn(descriptor: int) -> bool:
    """Whether the file ends in the middle of a line, as after a crash or on a full disk."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
