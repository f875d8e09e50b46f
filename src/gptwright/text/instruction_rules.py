"""Whether an answer does what its prompt asks: eight families of constraints that a program can check.

After IFEval (Zhou et al. 2023, arXiv 2311.07911). A prompt's line names what it asks for, such as
`"constraints": [{"kind": "begin", "word": "Then"}]`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gptwright.foundations.errors import InputError, nearest
from gptwright.text.rule_field import rule_field

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SENTENCE_END = re.compile(r"[.!?。！？]+[\"'”’)]*(?=\s|$)")
QUOTED = re.compile(r"\"[^\"“”]+\"|“[^\"“”]+”")
FEWEST_WORDS = 3  # of an answer: one that says nothing would obey most constraints
Constraint = Mapping[str, Any]
"""its `kind`, and what that needs: a `word` or a `count`"""


def words(text: str) -> list[str]:
    """Runs of letters and digits in small letters; "don't" and "well-known" are one word each."""
    return [word.casefold() for word in WORD.findall(text)]


def capitals(constraint: Constraint, answer: str) -> bool:
    """Capital letters only, and at least one."""
    return answer == answer.upper() and answer != answer.lower()


def sentences(constraint: Constraint, answer: str) -> bool:
    """Exactly `count` sentences, the last of which ends. "Mr." counts as an end: programs do not read."""
    ends = [end.end() for end in SENTENCE_END.finditer(answer)]
    return len(ends) == constraint["count"] and ends[-1] == len(answer)


def short(constraint: Constraint, answer: str) -> bool:
    """At most `count` words."""
    return len(words(answer)) <= constraint["count"]


def question(constraint: Constraint, answer: str) -> bool:
    """The end is a question mark; quotation marks may close behind it."""
    return answer.rstrip("\"'”’)").endswith(("?", "？"))


def begin(constraint: Constraint, answer: str) -> bool:
    """The first word is `word`."""
    return words(answer)[0] == constraint["word"].casefold()


def avoid(constraint: Constraint, answer: str) -> bool:
    """`word` is not in it; as a part of other words it may be."""
    return constraint["word"].casefold() not in words(answer)


def three_items(constraint: Constraint, answer: str) -> bool:
    """A list of three lines, each a dash and at least one word."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    return len(lines) == 3 and all(line.startswith("- ") and words(line) for line in lines)


def quotes(constraint: Constraint, answer: str) -> bool:
    """The whole answer is one quotation, in straight or in curved marks."""
    return QUOTED.fullmatch(answer) is not None


FAMILIES: dict[str, Callable[[Constraint, str], bool]] = {
    "capitals": capitals,
    "sentences": sentences,
    "short": short,
    "question": question,
    "begin": begin,
    "avoid": avoid,
    "list": three_items,
    "quotes": quotes,
}

ARGUMENTS: dict[str, tuple[str, Any]] = {
    "sentences": ("count", 2),
    "short": ("count", 12),
    "begin": ("word", "Then"),
    "avoid": ("word", "the"),
}
"""what a family needs beside its name, with an example"""
EXAMPLE = [{"kind": "question"}]


def instructions(line: Mapping[str, Any], answer: str) -> float:
    """The share of the line's constraints that the answer meets, 0 of an answer of under three words.

    Raises `InputError` for a line without constraints, a kind that is not in `FAMILIES`, and one that lacks its word
    or count.
    """
    constraints = rule_field(line, "constraints", EXAMPLE)
    return sum(_meets(constraint, answer.strip()) for constraint in constraints) / len(constraints)


def _meets(constraint: Constraint, answer: str) -> bool:
    kind = constraint.get("kind") if isinstance(constraint, dict) else None
    if kind not in FAMILIES:
        raise InputError("a kind of constraint", f"{constraint!r:.60}", nearest(str(kind), FAMILIES))
    if kind in ARGUMENTS:
        rule_field(constraint, *ARGUMENTS[kind])
    return len(words(answer)) >= FEWEST_WORDS and FAMILIES[kind](constraint, answer)
