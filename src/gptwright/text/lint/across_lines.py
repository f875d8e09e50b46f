"""What is wrong with a line beside others: the same again, held out and trained on, and a question without an answer in
a file of conversations."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from gptwright.text.lint.answers import ANSWERS
from gptwright.text.lint.rows import Conversations
from gptwright.text.lint.turns import LEAST_ANSWERED, is_long_enough

DUPLICATE, IN_BOTH_SPLITS, EXCHANGE, UNANSWERED = (
    "duplicate", "held out and trained on", "repeated exchange", "question without an answer",
)  # fmt: skip
_EXPECTED = {*ANSWERS, "right", "label", "labels", "expected", "target", "reference"}


class AcrossLines:
    """Remembers every line of every file by its hash, and where it was."""

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[str, object]] = {}
        self._exchanges: dict[bytes, str] = {}

    def again(self, content: str, place: str, split: object = None) -> tuple[str, str] | None:
        """The kind of fault of what was there before, but for blanks, and where; None of what is new."""
        if not content.strip():
            return None
        first, its_split = self._seen.setdefault(_digest(content), (place, split))
        if first is place:
            return None
        both = split is not None and its_split is not None and split != its_split
        return (IN_BOTH_SPLITS if both else DUPLICATE), f"as {first}"

    def exchange(self, whole: Conversations, place: str) -> tuple[str, str] | None:
        """The first question with its long answer that another conversation has too."""
        found = None
        for asked, answer in (pair for name, turns in whole.items() if name != "prompt" for pair in pairwise(turns)):
            if not (asked.is_user and answer.is_assistant and is_long_enough(answer.text, LEAST_ANSWERED)):
                continue
            first = self._exchanges.setdefault(_digest(f"{asked.text}\0{answer.text}".casefold()), place)
            if first != place and found is None:
                found = EXCHANGE, f"as {first}: {asked.text[:60]}"
        return found


class Unanswered:
    """Conversations of one file that end before the assistant has spoken: faults, unless most of them do."""

    def __init__(self) -> None:
        self._places: list[str] = []
        self._answered = 0

    def note(self, row: Mapping[str, Any], whole: Conversations, place: str) -> None:
        """A line of the file."""
        if any(row.get(name) is not None for name in _EXPECTED):
            return
        for name, turns in whole.items():
            if not turns or name == "prompt":
                continue
            if turns[-1].is_assistant:
                self._answered += 1
            else:
                self._places.append(place)

    def findings(self) -> Iterator[tuple[str, str, str]]:
        """Kind, place and what shows it, when all lines are noted. A file of prompts has no answers."""
        if len(self._places) < self._answered:
            yield from ((UNANSWERED, place, "the last message") for place in self._places)


def _digest(content: str) -> bytes:
    return blake2b(" ".join(content.split()).encode("utf-8", "replace"), digest_size=16).digest()
