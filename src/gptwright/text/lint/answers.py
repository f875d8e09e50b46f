"""What can be wrong with the answers beside a prompt: one, several, ranked, or a chosen and a rejected one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from gptwright.text.lint.turns import (
    ECHO,
    EMPTY_ANSWER,
    EMPTY_QUESTION,
    FOR_USER,
    is_blank,
    is_echo,
    says_nothing,
    speaks_for_user,
    turns_of,
)

SAME = "answers that are the same"
ANSWERS = ("answers", "chosen", "rejected", "completion", "response", "output", "answer")
_ASKED = ("prompt", "instruction", "question", "query")
_MORE = ("input", "context")
"""what an instruction is about: then its answer may well be what it is about"""


def faults_of_answers(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kinds of faults and what shows them."""
    if not any(name in row for name in ANSWERS):
        return
    asked, answers = _question(row), list(_answers(row))
    if _asks_nothing(row) and any(answer for _, answer in answers):
        yield EMPTY_QUESTION, "nothing was asked"
    for name, answer in answers:
        if answer is None or says_nothing(answer):
            yield EMPTY_ANSWER, name
        elif is_echo(asked, answer):
            yield ECHO, answer[:60]
        elif speaks_for_user(answer, asked):
            yield FOR_USER, name
    yield from _same(row, dict(answers))


def _asks_nothing(row: Mapping[str, Any]) -> bool:
    """Whether there are fields for a question, and nothing in them, nor in what it would be about. A prompt may be
    empty: a text goes on from its beginning."""
    asked = [row[name] for name in (*_ASKED, *_MORE) if name in row and name != "prompt"]
    return any(name in row for name in _ASKED[1:]) and all(value is None or _is_nothing(value) for value in asked)


def _is_nothing(value: object) -> bool:
    return isinstance(value, str) and is_blank(value)


def _question(row: Mapping[str, Any]) -> str:
    if any(row.get(name) for name in _MORE):
        return ""
    value = next((row[name] for name in _ASKED if row.get(name)), "")
    turns = turns_of(value)
    return turns[-1].text if turns and turns[-1].is_user else value if isinstance(value, str) else ""


def _answers(row: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Each answer that is a text, by its name and number; None for one that is missing where another is there, or where
    there is none at all. Answers that are messages are looked at with the turns."""
    there = {name: row[name] for name in ANSWERS if name in row}
    paired = any(there.get(name) is not None for name in ("chosen", "rejected"))
    alone = all(value is None for value in there.values()) and not turns_of(row.get("messages"))
    for name, value in there.items():
        if value is None:
            if alone or (paired and name in ("chosen", "rejected")):
                yield name, None
            continue
        given = cast("list[object]", value) if isinstance(value, list) else [value]
        if not given:
            yield name, None
        for number, answer in enumerate(given, 1):
            if answer is None or isinstance(answer, str):
                yield name if len(given) == 1 else f"{name} {number}", answer


def _same(row: Mapping[str, Any], answers: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Pairs that teach nothing: chosen and rejected, or ranked one above the other, and one as the other."""
    chosen, rejected = row.get("chosen"), row.get("rejected")
    if chosen and rejected and _plain(chosen) == _plain(rejected):
        yield SAME, "chosen and rejected"
    ranks = row.get("ranks")
    if isinstance(ranks, list):
        yield from _ranked_apart(cast("list[object]", ranks), answers)


def _ranked_apart(ranks: Sequence[object], answers: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    first = dict[str | None, tuple[int, object]]()
    for number, rank in enumerate(ranks, 1):
        text = answers.get(f"answers {number}")
        if not text:
            continue
        before, its_rank = first.setdefault(text.strip(), (number, rank))
        if its_rank != rank:
            yield SAME, f"answers {before} and {number}, of ranks {its_rank} and {rank}"


def _plain(value: object) -> object:
    return [(turn.role, turn.text.strip()) for turn in turns_of(value)] or (
        value.strip() if isinstance(value, str) else value
    )
