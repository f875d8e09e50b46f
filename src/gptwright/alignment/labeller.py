"""A labeller made of a rule: it ranks answers as a person would, and its rule is never shown to the models.

It makes the whole loop measurable without people; rankings by people come in the same files.
"""

import re
from collections.abc import Callable, Sequence

FEWEST_WORDS = 4
Judge = Callable[[str], float]


def plain_words(text: str) -> float:
    """Minus the mean length of a word in letters: plain words win. Answers of under 4 words are worst of all."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)
    if len(words) < FEWEST_WORDS:
        return -99.0
    return -sum(len(word.replace("'", "")) for word in words) / len(words)


RULES: dict[str, Judge] = {"plain-words": plain_words}


def ranks(answers: Sequence[str], judge: Judge) -> list[int]:
    """1 for the best; equal to two decimals is a tie and shares a rank, and the next rank follows densely."""
    scores = [round(judge(answer), 2) for answer in answers]
    order = sorted(set(scores), reverse=True)
    return [order.index(score) + 1 for score in scores]
