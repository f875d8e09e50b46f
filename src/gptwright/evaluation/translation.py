"""How near translations are to a person's: BLEU (Papineni et al. 2002) and chrF (Popović 2015), as sacrebleu counts.

Scores of one text differ by points with the way it is cut into words, so each comes with its signature (Post 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import zip_longest
from typing import Any

from gptwright.evaluation.metrics import DRAWS
from gptwright.foundations.errors import ConfigError
from gptwright.training.evaluation import Estimate


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


def bleu(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Estimate:
    """BLEU of all answers together, from 0 to 100, each against its references; the interval is sacrebleu's bootstrap.
    Raises `ConfigError` when sacrebleu is not installed."""
    streams = [list(stream) for stream in zip_longest(*references)]  # None where a text has fewer
    found = _sacrebleu().BLEU().corpus_score(list(answers), streams, n_bootstrap=DRAWS)
    return Estimate(found.score, found._mean - found._ci, found._mean + found._ci, len(answers))


def require_sacrebleu() -> None:
    """Raises `ConfigError` when it is not installed: better before the training than after."""
    _sacrebleu()


def _sacrebleu() -> Any:
    try:
        return import_module("sacrebleu.metrics")
    except ImportError as error:
        raise ConfigError("sacrebleu to judge translations", "no such package here",
                          "pip install 'gptwright[translate]'") from error  # fmt: skip
