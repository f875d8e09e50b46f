"""How often one model's answers are better than another's, and whether answers became alike."""

from collections.abc import Hashable, Sequence

from gptwright.evaluation.intervals import Estimate, share_by_group


def win_rate(new: Sequence[float], old: Sequence[float], prompts: Sequence[Hashable]) -> Estimate:
    """Share of answers whose score is higher in `new` than in `old`; equal scores count half.

    The interval is over prompts: of one that was asked several times, the answers fare alike.
    """
    asked = zip(new, old, prompts, strict=True)
    return share_by_group((prompt, 1.0 if a > b else 0.5 if a == b else 0.0, 1) for a, b, prompt in asked)


def distinct_pairs(texts: Sequence[str]) -> float:
    """Share of different word pairs among all: falls when answers become alike."""
    pairs = [pair for text in texts for pair in zip(text.split(), text.split()[1:], strict=False)]
    return len(set(pairs)) / max(len(pairs), 1)
