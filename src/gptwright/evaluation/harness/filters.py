"""What is done to a written answer before it is compared, by the names that lm-evaluation-harness has for it."""

import re
import string
from collections.abc import Callable, Mapping, Sequence

from gptwright.evaluation.harness.task_config import Blindness, FilterPipeline, FilterStep

Filter = Callable[[str, FilterStep, Sequence[str]], str]
"""from an answer, the step's settings and the choices of the document to another answer"""


def filtered(answer: str, pipeline: FilterPipeline, choices: Sequence[str]) -> str:
    """The answer after all steps."""
    for step in pipeline.filter:
        answer = FILTERS[step.function](answer, step, choices)
    return answer


def extracted(text: str, pattern: str, group: int) -> str:
    """What a pattern finds: match number `group`, and of its groups the first that is not empty; "" for none."""
    found: list[str | tuple[str, ...]] = re.findall(pattern, text)
    if not -len(found) <= group < len(found):
        return ""
    match = found[group]
    return (match if isinstance(match, str) else next((part for part in match if part), "")).strip()


def plain(text: str, how: Blindness) -> str:
    """Without what is not looked at."""
    for pattern in how.regexes_to_ignore:
        text = re.sub(pattern, "", text)
    text = text.lower() if how.ignore_case else text
    ignored = string.punctuation * how.ignore_punctuation + string.digits * how.ignore_numbers
    return text.translate(str.maketrans("", "", ignored))


def _choice(answer: str, step: FilterStep, choices: Sequence[str]) -> str:
    """The letter "(B)" that an answer names: as the pattern says, by the choice's own words, or behind a colon."""
    if found := extracted(answer, step.regex_pattern, step.group_select):
        return found
    letters = string.ascii_uppercase[: len(choices)]
    by_words = {plain(choice.strip(), step): f"({letter})" for choice, letter in zip(choices, letters, strict=True)}
    words = extracted(plain(answer, step), "|".join(re.escape(words) for words in by_words), step.group_select)
    letter = extracted(answer, rf":[\s]*([{letters}])", step.group_select) if not words else ""
    return by_words.get(words) or (f"({letter})" if letter else step.fallback)


FILTERS: Mapping[str, Filter] = {
    "take_first": lambda answer, step, choices: answer,
    "regex": lambda answer, step, choices: extracted(answer, step.regex_pattern, step.group_select) or step.fallback,
    "lowercase": lambda answer, step, choices: answer.lower(),
    "uppercase": lambda answer, step, choices: answer.upper(),
    "remove_whitespace": lambda answer, step, choices: answer.strip(),
    "multi_choice_regex": _choice,
}
