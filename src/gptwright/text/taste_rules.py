"""Rules of tastes that everybody sees at once: small letters alone, answers that ask back, few words."""

from collections.abc import Mapping
from typing import Any

from gptwright.text.friendly_rule import sentences

SILENT = -999.0


def lower_case(line: Mapping[str, Any], answer: str) -> float:
    """Share of the words that have no capital letter; 0 for an answer without words."""
    words = [word for word in answer.split() if any(letter.isalpha() for letter in word)]
    return sum(word == word.lower() for word in words) / len(words) if words else 0.0


def questions(line: Mapping[str, Any], answer: str) -> float:
    """Share of the sentences that ask; signs without words are no sentence."""
    said = sentences(answer)
    return sum("?" in sentence for sentence in said) / len(said) if said else 0.0


def few_words(line: Mapping[str, Any], answer: str) -> float:
    """Minus the number of words; to say nothing is worst."""
    return -float(len(answer.split())) or SILENT
