"""A labeller made of a rule: it ranks answers as a person would, and its rule is never shown to the models.

It makes the whole loop measurable without people; rankings by people come in the same files.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isnan
from typing import Any

from gptwright.foundations.errors import InputError
from gptwright.text.answer_rules import arithmetic, length_target, sentiment
from gptwright.text.friendly_rule import friendly, is_friendly
from gptwright.text.instruction_rules import instructions
from gptwright.text.taste_rules import few_words, lower_case, questions
from gptwright.text.unit_tests_rule import unit_tests

FEWEST_LETTERS = 16
WORST = -99.0
Rule = Callable[[Mapping[str, Any], str], float]
"""what the prompt's line says (its messages, and what its task wrote beside them), and an answer → larger is better"""


def plain_words(line: Mapping[str, Any], answer: str) -> float:
    """Minus the mean length of a word in letters: plain words win. Answers of under 16 letters are worst of all.

    In Chinese, which does not part its words, a run of characters between signs counts as one: short clauses win.
    """
    words = [word.replace("'", "") for word in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", answer)]
    letters = sum(len(word) for word in words)
    return -letters / len(words) if letters >= FEWEST_LETTERS else WORST


RULES: dict[str, Rule] = {
    "plain-words": plain_words,
    "friendly": friendly,
    "instructions": instructions,
    "length-target": length_target,
    "arithmetic": arithmetic,
    "sentiment": sentiment,
    "lower-case": lower_case,
    "questions": questions,
    "unit-tests": unit_tests,
    "few-words": few_words,
}

# Of a rule that is about a style: whether an answer has it.
STYLES: dict[str, Callable[[str], bool]] = {"friendly": is_friendly}


def check_rule(name: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Raises before there are answers what the rule would raise of them: for a line that lacks a field, or a machine
    without the sandbox or library that it needs."""
    for line in lines:
        RULES[name](line, "")


def scores_of(rule: Rule, lines: Iterable[Mapping[str, Any]], answers: Iterable[str]) -> list[float]:
    """What the rule says of each line's answer; several at a time, for some rules wait for programs to end."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(rule, lines, answers))


def ranks(line: Mapping[str, Any], answers: Sequence[str], rule: Rule) -> list[int]:
    """1 for the best; equal to two decimals is a tie and shares a rank, and the next rank follows densely.

    Raises `InputError` for a score that is NaN, which is neither better nor worse than others.
    """
    scores = scores_of(rule, [line] * len(answers), answers)
    if lost := [answer for score, answer in zip(scores, answers, strict=True) if isnan(score)]:
        raise InputError("numbers as a rule's scores", f"NaN for the answer {lost[0]!r}", "Mend the rule.")
    return ranks_of([round(score, 2) for score in scores])


def ranks_of(scores: Sequence[float]) -> list[int]:
    """1 for the highest score; equal scores share a rank, and the next follows densely."""
    order = sorted(set(scores), reverse=True)
    return [order.index(score) + 1 for score in scores]
