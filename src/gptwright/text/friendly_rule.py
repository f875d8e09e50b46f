"""The taste that the story's labeller has: right answers, said in a friendly way.

A friendly answer speaks to the one who asks, before the fact ("You ask about Mira's work.") or after it ("I am happy
to help!"), and does not ramble.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gptwright.text.instruction_rules import words

SENTENCE = re.compile(r"[^.!?]+[.!?]*")
LETTERS = re.compile(r"[^\W_]+")
TO_THE_ASKER = {"you", "your", "me", "help", "welcome", "glad", "happy", "thank", "please"}
LONG_SENTENCE = 12  # words; a longer one rambles
MANY_SENTENCES = 4  # more of them ramble
RIGHT = 4.0  # what being right counts: more than the whole of the style, which is from -1 to 2


def friendly(line: Mapping[str, Any], answer: str) -> float:
    """4 for an answer that is `right`, 1 for an opening, 1 for a closing, -1 for rambling.

    Where the prompt's line does not say what is right, the style alone counts.
    """
    right = line.get("right")
    return RIGHT * (not right or holds(answer, right)) + opens(answer) + closes(answer) - rambles(answer)


def is_friendly(answer: str) -> bool:
    """An opening or a closing, and no rambling."""
    return (opens(answer) or closes(answer)) and not rambles(answer)


def opens(answer: str) -> bool:
    """The first of several sentences speaks to the one who asks."""
    said = sentences(answer)
    return len(said) > 1 and _to_the_asker(said[0])


def closes(answer: str) -> bool:
    """The last of several sentences does."""
    said = sentences(answer)
    return len(said) > 1 and _to_the_asker(said[-1])


def rambles(answer: str) -> bool:
    """A sentence of over 12 words, or more than four sentences."""
    said = sentences(answer)
    return len(said) > MANY_SENTENCES or any(len(words(sentence)) > LONG_SENTENCE for sentence in said)


def sentences(text: str) -> list[str]:
    """With their full stops; what holds no word is none."""
    return [sentence for sentence in SENTENCE.findall(text) if words(sentence)]


def holds(answer: str, phrases: Iterable[str]) -> bool:
    """Whether any of the phrases is in the answer, word by word; in "Mira's" is "Mira"."""
    said = _spaced(answer)
    return any(_spaced(phrase) in said for phrase in phrases)


def _spaced(text: str) -> str:
    return f" {' '.join(LETTERS.findall(text.casefold()))} "


def _to_the_asker(sentence: str) -> bool:
    return not TO_THE_ASKER.isdisjoint(words(sentence))
