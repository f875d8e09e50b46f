"""How near translations are to a person's: BLEU (Papineni et al. 2002) and chrF (Popović 2015), as sacrebleu counts.

Scores of one text differ by points with the way it is cut into words, so each comes with its signature (Post 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from gptwright.foundations.errors import ConfigError

Counts = tuple[int, ...]


@dataclass(frozen=True)
class TranslationScores:
    """From 0 to 100, over all texts together."""

    bleu: float
    """shared runs of one to four words"""
    chrf: float
    """shared runs of one to six letters"""
    bleu_signature: str
    chrf_signature: str


def translation_scores(hypotheses: Sequence[str], references: Sequence[str]) -> TranslationScores:
    """Each hypothesis against one reference. Raises `ConfigError` when sacrebleu is not installed."""
    metrics = _sacrebleu()
    bleu, chrf = metrics.BLEU(), metrics.CHRF()
    texts, wanted = list(hypotheses), [list(references)]
    assert len(texts) == len(references) > 0
    scores = [float(metric.corpus_score(texts, wanted).score) for metric in (bleu, chrf)]
    return TranslationScores(scores[0], scores[1], str(bleu.get_signature()), str(chrf.get_signature()))


def bleu_counts(answer: str, references: Sequence[str]) -> tuple[Counts, Counts]:
    """What BLEU adds up over texts: an answer's runs of one to four words that its references share and their length in
    words, and its own runs and length. Raises `ConfigError` when sacrebleu is not installed."""
    found = _sacrebleu().BLEU().corpus_score([answer], [[reference] for reference in references])
    return (*found.counts, found.ref_len), (*found.totals, found.sys_len)


def corpus_bleu(shared: Sequence[Counts], own: Sequence[Counts]) -> float:
    """BLEU of all texts together, from 0 to 100, by the counts of each. Raises as `bleu_counts` does."""
    (*hits, wanted), (*runs, length) = (np.sum(counts, axis=0).tolist() for counts in (shared, own))
    return float(_sacrebleu().BLEU.compute_bleu(hits, runs, length, wanted, smooth_method="exp").score)


def require_sacrebleu() -> None:
    """Raises `ConfigError` when it is not installed: better before the training than after."""
    _sacrebleu()


def _sacrebleu() -> Any:
    try:
        return import_module("sacrebleu.metrics")
    except ImportError as error:
        raise ConfigError("sacrebleu to judge translations", "no such package here",
                          "pip install 'gptwright[translate]'") from error  # fmt: skip
