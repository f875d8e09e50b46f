"""What can be wrong with a line of a file: of texts, conversations, prompts with answers, or rankings."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from gptwright.text.lint.answers import faults_of_answers
from gptwright.text.lint.turns import ROLES, Turn, faults_of_turns, is_blank, turns_of

EMPTY = "empty text"
CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "prompt")
CONTINUED = ("chosen", "rejected", "completion", "response")
"""may go on where a prompt ends, or have the whole conversation"""


Conversations = Mapping[str, list[Turn]]
"""those of a line, by the names of their fields"""


def whole_conversations(row: Mapping[str, Any]) -> Conversations:
    """Every conversation that a line has in a field for one; the field "prompt" may have one that ends early."""
    return {name: turns_of(row[name]) for name in CONVERSATIONS if name in row}


def row_faults(row: Mapping[str, Any], whole: Conversations) -> Iterator[tuple[str, str]]:
    """Kinds of faults and what shows them."""
    if "text" in row and (row["text"] is None or (isinstance(row["text"], str) and is_blank(row["text"]))):
        yield EMPTY, "text"
    for name, turns in whole.items():
        if row[name] == [] and name != "prompt":
            yield EMPTY, name
        if turns and len(turns) < len(row[name]):
            yield ROLES, "a message without a role"
        yield from faults_of_turns(turns)
    for before, turns in continued(row, whole):
        known = set(faults_of_turns(before))
        yield from (fault for fault in faults_of_turns([*before, *turns]) if fault not in known)
    yield from faults_of_answers(row)


def continued(row: Mapping[str, Any], whole: Conversations) -> Iterator[tuple[list[Turn], list[Turn]]]:
    """What goes on from a prompt: the prompt's turns, none where they are there again, and its own."""
    if not any(name in row for name in (*CONTINUED, "answers")):
        return
    prompt, answers = row.get("prompt"), row.get("answers")
    asked = [Turn("user", prompt)] if isinstance(prompt, str) else whole.get("prompt", [])
    several = cast("list[object]", answers) if isinstance(answers, list) else []
    for value in (*(row.get(name) for name in CONTINUED), *several):
        if turns := turns_of(value):
            yield asked if turns[0].is_assistant else [], turns
