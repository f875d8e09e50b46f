"""How well scores order ranked answers, on held-out prompts, with intervals over prompts.

Ranks are 1 for the best, equal ones tie; the gain of an answer is how many others it is better than. Where a figure is
not defined, such as a correlation with a constant, it is 0.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gptwright.evaluation.intervals import mean, share_by_group
from gptwright.evaluation.metrics import BINS, bootstrap_sums
from gptwright.training.evaluation import Estimate, Evaluation

ALIKE = 0.1  # lengths that differ by no more than this share of the longer one


class Pairs(NamedTuple):
    """Every pair of which one answer is better, as arrays of equal length."""

    margins: np.ndarray
    """score of the better answer less that of the worse"""
    places: np.ndarray
    """how many different ranks lie between the two, 1 for neighbours"""
    longer: np.ndarray
    """length of the better answer less that of the worse, as a share of the longer"""

    @property
    def right(self) -> np.ndarray:
        """1 where the scores order the pair rightly, ½ where they are equal."""
        return (self.margins > 0) + 0.5 * (self.margins == 0)


@dataclass(frozen=True)
class ScoredAnswers:
    """One ranking: the prompt, by which rankings belong together, and of each answer score, rank and tokens."""

    prompt: Hashable
    scores: Sequence[float]
    ranks: Sequence[int]
    lengths: Sequence[int]

    @cached_property
    def pairs(self) -> Pairs:
        scores, lengths = np.asarray(self.scores, float), np.asarray(self.lengths, float)
        places = np.unique(np.asarray(self.ranks), return_inverse=True)[1]
        better, worse = np.nonzero(places[:, None] < places[None, :])
        longest = np.maximum(np.maximum(lengths[better], lengths[worse]), 1)
        return Pairs(scores[better] - scores[worse], places[worse] - places[better],
                     (lengths[better] - lengths[worse]) / longest)  # fmt: skip


def kendall(ranks: Sequence[int], scores: Sequence[float]) -> float:
    """Kendall's τ-b of the order that the ranks give and that of the scores: ties on either side are taken out."""
    truth, found = (np.sign(x[:, None] - x[None, :]) for x in (-np.asarray(ranks, float), np.asarray(scores, float)))
    spread = np.sqrt((truth**2).sum() * (found**2).sum())
    return float((truth * found).sum() / spread) if spread else 0.0


def gains(ranks: Sequence[int]) -> np.ndarray:
    """How many others each answer is better than."""
    places = np.asarray(ranks)
    return (places[:, None] < places[None, :]).sum(1)


def ndcg(ranks: Sequence[int], scores: Sequence[float]) -> float:
    """NDCG over all K answers with linear gain (Järvelin & Kekäläinen 2002): each gain counts 1 / log2(1 + place),
    relative to the best order. Equal scores share the mean of their places' discounts."""
    gain = gains(ranks)
    discounts = 1 / np.log2(2 + np.arange(len(gain)))
    best = float((np.sort(gain)[::-1] * discounts).sum())
    _, group = np.unique(-np.asarray(scores, float), return_inverse=True)
    shared = np.bincount(group, weights=discounts[np.argsort(np.argsort(group, kind="stable"))]) / np.bincount(group)
    return float((gain * shared[group]).sum()) / best if best else 0.0


def top1_regret(ranks: Sequence[int], scores: Sequence[float]) -> float:
    """What is lost by taking the answer of the highest score: 0 where that is a best one, 1 where it is a worst one.
    Of equal scores each is taken as often."""
    gain, found = gains(ranks), np.asarray(scores, float)
    span = gain.max() - gain.min()
    return float((gain.max() - gain[found == found.max()].mean()) / span) if span else 0.0


def evaluate_ranking(found: Sequence[ScoredAnswers]) -> Evaluation:
    """Every figure of a reward model on held-out rankings, none of which ties throughout."""
    estimates = {"pair_accuracy": _accuracy(found, lambda pairs: pairs.places > 0)}
    for name, chosen in BUCKETS.items():
        estimate = _accuracy(found, chosen)
        if estimate.count:
            estimates[f"pair_accuracy, {name}"] = estimate
    estimates |= {name: _mean_by_prompt(found, figure) for name, figure in FIGURES.items()}
    estimates["calibration_error"] = bootstrap_sums(_calibration, _sums(found, _confidence))
    estimates["score_length_correlation"] = bootstrap_sums(_correlation, _sums(found, _products))
    return Evaluation(estimates=estimates)


BUCKETS: Mapping[str, Callable[[Pairs], np.ndarray]] = {
    "neighbours": lambda pairs: pairs.places == 1,
    "two ranks apart": lambda pairs: pairs.places == 2,
    "three or more apart": lambda pairs: pairs.places > 2,
    "shorter is better": lambda pairs: pairs.longer < -ALIKE,
    "alike in length": lambda pairs: abs(pairs.longer) <= ALIKE,
    "longer is better": lambda pairs: pairs.longer > ALIKE,
}
"""Which pairs stand together: by the labeller's margin, then by length."""
FIGURES: Mapping[str, Callable[[Sequence[int], Sequence[float]], float]] = {
    "kendall_tau_b": kendall,
    "ndcg": ndcg,
    "top1_regret": top1_regret,
}


def _accuracy(found: Sequence[ScoredAnswers], chosen: Callable[[Pairs], np.ndarray]) -> Estimate:
    kept = [(each.prompt, each.pairs.right[chosen(each.pairs)]) for each in found]
    return share_by_group((prompt, float(right.sum()), len(right)) for prompt, right in kept)


def _mean_by_prompt(
    found: Sequence[ScoredAnswers], figure: Callable[[Sequence[int], Sequence[float]], float]
) -> Estimate:
    values: dict[Hashable, list[float]] = defaultdict(list)
    for each in found:
        values[each.prompt].append(figure(each.ranks, each.scores))
    return mean([float(np.mean(some)) for some in values.values()])


def _sums(found: Sequence[ScoredAnswers], parts: Callable[[ScoredAnswers], np.ndarray]) -> np.ndarray:
    """`parts` of every ranking, added up by prompt."""
    sums: dict[Hashable, np.ndarray] = {}
    for each in found:
        sums[each.prompt] = sums.get(each.prompt, 0) + parts(each)
    return np.stack([*sums.values()])


def _confidence(each: ScoredAnswers) -> np.ndarray:
    """In bins of how sure σ(|margin|) is: by how much that exceeds the share that is right, times pairs; and pairs."""
    sure = 1 / (1 + np.exp(-np.abs(each.pairs.margins)))
    place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    return np.append(np.bincount(place, sure - each.pairs.right, BINS), len(sure))


def _calibration(sums: np.ndarray) -> np.ndarray:
    """Expected calibration error of σ(margin) as the chance that a pair is ordered rightly (Guo et al. 2017)."""
    return np.abs(sums[:, :-1]).sum(1) / np.maximum(sums[:, -1], 1)


def _products(each: ScoredAnswers) -> np.ndarray:
    x, y = (np.asarray(values, float) - np.mean(values) for values in (each.scores, each.lengths))
    return np.array([x @ y, x @ x, y @ y])


def _correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's, of scores and lengths less their means of the prompt."""
    spread = np.sqrt(sums[:, 1] * sums[:, 2])
    return np.divide(sums[:, 0], spread, out=np.zeros(len(sums)), where=spread > 0)
