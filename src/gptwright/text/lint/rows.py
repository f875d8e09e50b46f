"""What can be wrong with a line of a file: of texts, conversations, prompts with answers, or rankings."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from gptwright.text.lint.answers import faults_of_answers
from gptwright.text.lint.turns import Turn, faults_of_turns, is_blank, turns_of

EMPTY = "empty text"
CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "prompt")
CONTINUED = ("chosen", "rejected", "completion", "response")
"""may go on where a prompt ends, or have the whole conversation"""


def row_faults(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kinds of faults and what shows them."""
    if "text" in row and (row["text"] is None or (isinstance(row["text"], str) and is_blank(row["text"]))):
        yield EMPTY, "text"
    for before, turns in conversations_of(row):
        known = set(faults_of_turns(before))
        yield from (fault for fault in faults_of_turns([*before, *turns]) if fault not in known)
    yield from faults_of_answers(row)


def conversations_of(row: Mapping[str, Any]) -> Iterator[tuple[list[Turn], list[Turn]]]:
    """Every conversation of a line: the turns of its prompt, if it goes on from there, and its own."""
    for name in CONVERSATIONS:
        if turns := turns_of(row.get(name)):
            yield [], turns
    prompt, answers = row.get("prompt"), row.get("answers")
    asked = [Turn("user", prompt)] if isinstance(prompt, str) else turns_of(prompt)
    several = cast("list[object]", answers) if isinstance(answers, list) else []
    for value in (*(row.get(name) for name in CONTINUED), *several):
        if turns := turns_of(value):
            yield asked if turns[0].is_assistant else [], turns
