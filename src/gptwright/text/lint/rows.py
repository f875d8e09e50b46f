"""What can be wrong with a line of a file: of texts, conversations, prompts with answers, or rankings."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

EMPTY, EMPTY_ANSWER, ROLES, REPEATED, ECHO = (
    "empty text", "empty answer", "turns out of order", "repeated turn", "answer that is the question",
)  # fmt: skip
ANSWERS = ("answers", "chosen", "rejected", "completion", "response", "output", "answer")
NO_TEXT = {"role", "from", "type", "split", "source", "labeller", "url", "id", "image", "file"}
"""fields that nobody reads as text"""
USER, ASSISTANT = {"user", "human"}, {"assistant", "gpt", "bot"}
LEAST_REPEATED = 20
"""characters: "Go on." may be said twice, and "Hello." answered with it"""
Turn = tuple[str, str]


def texts_of(value: object, name: str = "") -> Iterator[str]:
    """Every text in a line, in order, wherever it stands."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            if key not in NO_TEXT:
                yield from texts_of(inner, key)
    elif isinstance(value, Sequence):
        for inner in cast("Sequence[object]", value):
            yield from texts_of(inner, name)


def row_faults(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kinds of faults and what shows them."""
    if isinstance(row.get("text"), str) and not row["text"].strip():
        yield EMPTY, "text"
    for name in ("messages", "conversations", "prompt", "chosen", "rejected"):
        turns = turns_of(row.get(name))
        if turns:
            yield from _faults_of_turns(turns)
    yield from _empty_answers(row)


def turns_of(value: object) -> list[Turn]:
    """Role and text of every message, by the names of either convention; nothing when it is no conversation."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[object]", value)):
        return []
    messages = cast("list[dict[str, object]]", value)
    pairs = [(message.get("role", message.get("from")), message) for message in messages]
    return [(str(role), "\n".join(texts_of(message.get("content", message.get("value"))))) for role, message in pairs
            if role is not None]  # fmt: skip


def _faults_of_turns(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    seen = set[Turn]()
    for number, (role, text) in enumerate(turns, 1):
        bare = (role, " ".join(text.split()).casefold())
        if role in ASSISTANT and not text.strip():
            yield EMPTY_ANSWER, f"message {number}"
        elif len(bare[1]) >= LEAST_REPEATED and bare in seen:
            yield REPEATED, f"message {number}: {text[:60]}"
        seen.add(bare)
    for (before, asked), (role, text) in pairwise(turns):
        is_same = asked.strip() == text.strip() and len(text.strip()) >= LEAST_REPEATED
        if before in USER and role in ASSISTANT and is_same:
            yield ECHO, text[:60]
    yield from ((ROLES, shown) for shown in _out_of_order([role for role, _ in turns]))


def _out_of_order(roles: Sequence[str]) -> Iterator[str]:
    if roles[0] in ASSISTANT:
        yield "the assistant first"
    for number, (before, role) in enumerate(pairwise(roles), 2):
        if role == before and role in USER | ASSISTANT:
            yield f"{role} twice, messages {number - 1} and {number}"
        if role == "system":
            yield f"system as message {number}"


def _empty_answers(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ANSWERS:
        value = row.get(name)
        given = cast("list[object]", value) if isinstance(value, list) else [value]
        for number, answer in enumerate(given, 1):
            if isinstance(answer, str) and not answer.strip():
                yield EMPTY_ANSWER, name if len(given) == 1 else f"{name} {number}"
