"""Rules of three small tasks: as many words as were asked for, the right sum in the right form, and a good mood."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from gptwright.foundations.errors import ConfigError
from gptwright.text.instruction_rules import words
from gptwright.text.rule_field import rule_field

SUM = re.compile(r"Answer: (-?[0-9]{1,15})")


def length_target(line: Mapping[str, Any], answer: str) -> float:
    """Minus how many words the answer is away from the line's `words`. Raises as `rule_field` does."""
    return -float(abs(len(words(answer)) - rule_field(line, "words", 12)))


def arithmetic(line: Mapping[str, Any], answer: str) -> float:
    """1 for "Answer: n" and nothing else, n being the line's `sum`; otherwise 0. Raises as `rule_field` does."""
    right, found = rule_field(line, "sum", 12), SUM.fullmatch(answer.strip())
    return float(found is not None and int(found[1]) == right)


def sentiment(line: Mapping[str, Any], answer: str) -> float:
    """VADER's compound score, from −1 to 1: how good the mood of the words is (Hutto and Gilbert 2014).

    Raises `ConfigError` when vaderSentiment is not installed.
    """
    return float(_vader().polarity_scores(answer)["compound"])


@cache
def _vader() -> Any:
    try:
        return import_module("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()
    except ImportError as error:
        raise ConfigError("vaderSentiment, which has the words' moods", "an installation without it",
                          "pip install 'gptwright[sentiment]'") from error  # fmt: skip
