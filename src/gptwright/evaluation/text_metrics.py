"""How near a written answer is to those that were expected: exact match, token F1 and ROUGE.

Of several references the best one counts. SQuAD's normalisation (Rajpurkar et al. 2016): lower case, no punctuation,
no articles, single spaces.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"[a-z0-9]+")
Words = Sequence[object]


def normalise_answer(text: str) -> str:
    """As SQuAD's evaluation script does."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(answer: str, references: Sequence[str]) -> float:
    """1 when the answer is one of the references after `normalise_answer`, else 0."""
    return float(normalise_answer(answer) in {normalise_answer(reference) for reference in references})


def token_f1(answer: str, references: Sequence[str]) -> float:
    """Harmonic mean of how much of the answer is expected and how much of what is expected is there, in words."""
    return _best(answer, references, lambda text: normalise_answer(text).split(), _shared)


def rouge(answer: str, references: Sequence[str], n: int) -> float:
    """ROUGE-N: F1 of shared runs of `n` words (Lin 2004), without stemming."""
    return _best(answer, references, lambda text: _runs(_words(text), n), _shared)


def rouge_l(answer: str, references: Sequence[str]) -> float:
    """ROUGE-L: F1 of the longest common subsequence of words (Lin 2004), without stemming."""
    return _best(answer, references, _words, _common_subsequence)


def _best(
    answer: str, references: Sequence[str], cut: Callable[[str], Words], shared: Callable[[Words, Words], int]
) -> float:
    words = cut(answer)
    return max((_f1(words, expected, shared) for expected in map(cut, references)), default=0.0)


def _f1(words: Words, expected: Words, shared: Callable[[Words, Words], int]) -> float:
    """2·precision·recall / (precision + recall); 1 where both are empty."""
    total = len(words) + len(expected)
    return 2 * shared(words, expected) / total if total else 1.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _shared(words: Words, expected: Words) -> int:
    return (Counter(words) & Counter(expected)).total()


def _common_subsequence(words: Words, expected: Words) -> int:
    lengths = [0] * (len(expected) + 1)
    for word in words:
        diagonal = 0
        for i, other in enumerate(expected, 1):
            diagonal, lengths[i] = lengths[i], diagonal + 1 if word == other else max(lengths[i], lengths[i - 1])
    return lengths[-1]
