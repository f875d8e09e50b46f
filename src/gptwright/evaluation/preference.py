"""Which of two models' answers is better, by a judge neither was trained on."""

from collections.abc import Callable, Sequence

from gptwright.evaluation.intervals import Estimate, share


def win_rate(new: Sequence[str], old: Sequence[str], judge: Callable[[str], float]) -> Estimate:
    """Share of prompts on which `new` scores higher than `old`; equal scores count half."""
    wins = 0.0
    for a, b in zip(new, old, strict=True):
        score_a, score_b = judge(a), judge(b)
        wins += 1.0 if score_a > score_b else 0.5 if score_a == score_b else 0.0
    return share(wins, len(new))


def distinct_pairs(texts: Sequence[str]) -> float:
    """Share of different word pairs among all: falls when answers become alike."""
    pairs = [pair for text in texts for pair in zip(text.split(), text.split()[1:], strict=False)]
    return len(set(pairs)) / max(len(pairs), 1)
