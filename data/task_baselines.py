#!/usr/bin/env python3
"""What trivial rules reach on task sets: the least that a model has to beat.

    python data/task_baselines.py data/tasks/*.jsonl.xz

Needs scikit-learn. One line a set: rows, the most frequent label, a bag of words in a linear model, and the rules
that must not solve it: length, shared words, one side of a pair alone. Accuracy in percent; for graded similarity,
Spearman's correlation times 100.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from task_rows import Row, overlap, stems

Features = Callable[[Row], dict[str, float]]
PAIRS = (("premise", "hypothesis"), ("first", "second"))


def read(path: Path) -> tuple[list[Row], list[Row]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [r for r in rows if r["split"] == "train"], [r for r in rows if r["split"] == "heldout"]


def bag(text: str, name: str = "") -> dict[str, float]:
    return {f"{name}{word}": 1.0 for word in re.findall(r"\w+", text.lower())}


def lengths(*texts: str) -> dict[str, float]:
    sizes = [float(np.log(len(text) + 1)) for text in texts]
    return {**{f"length {i}": size for i, size in enumerate(sizes)}, "difference": sizes[0] - sizes[-1],
            "gap": abs(sizes[0] - sizes[-1])}  # fmt: skip


def shared(first: str, second: str) -> dict[str, float]:
    a, b = stems(first), stems(second)
    return {"overlap": overlap(first, second), "of first": len(a & b) / max(len(a), 1),
            "of second": len(a & b) / max(len(b), 1), "any": float(bool(a & b))}  # fmt: skip


def both(first: str, second: str) -> dict[str, float]:
    a, b = bag(first, "1 "), bag(second, "2 ")
    return {**a, **b, **{f"= {word[2:]}": 1.0 for word in a if f"2 {word[2:]}" in b}, **shared(first, second)}


def score(train: Sequence[Row], heldout: Sequence[Row], features: Features) -> float:
    """Held-out accuracy of a linear model, or the correlation where the labels are numbers with a fraction."""
    vectorizer = DictVectorizer()
    inputs, unseen = vectorizer.fit_transform(map(features, train)), vectorizer.transform(map(features, heldout))
    labels, truth = [row["label"] for row in train], [row["label"] for row in heldout]
    if isinstance(labels[0], float):
        return float(spearmanr(Ridge(alpha=10.0).fit(inputs, labels).predict(unseen), truth).statistic)
    model = LogisticRegression(C=0.3, max_iter=200).fit(inputs, labels)
    return float(np.mean(model.predict(unseen) == truth))


def choose(rows: Sequence[Row], rate: Callable[[str, str], float]) -> float:
    """How often the choice that is rated highest is the right one."""
    return float(np.mean([np.argmax([rate(r["context"], c) for c in r["choices"]]) == r["label"] for r in rows]))


def learned_choice(train: Sequence[Row], heldout: Sequence[Row]) -> float:
    """A linear model over the bag of a choice and the words it shares with the context."""
    vectorizer = DictVectorizer()
    flat = [both(row["context"], choice) for row in train for choice in row["choices"]]
    right = [i == row["label"] for row in train for i in range(len(row["choices"]))]
    model = LogisticRegression(C=0.3, max_iter=200).fit(vectorizer.fit_transform(flat), right)
    weights = dict(zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True))
    return choose(heldout, lambda c, choice: sum(weights.get(k, 0.0) * v for k, v in both(c, choice).items()))


def baselines(train: Sequence[Row], heldout: Sequence[Row]) -> dict[str, float]:
    counts = Counter(row["label"] for row in heldout)
    found = {"majority": max(counts.values()) / len(heldout)}
    if "text" in heldout[0]:
        tests = {"bag of words": lambda r: bag(r["text"]), "length": lambda r: lengths(r["text"])}
        return found if not train else found | {n: score(train, heldout, f) for n, f in tests.items()}
    if "choices" in heldout[0]:
        return found | {
            "bag of words": learned_choice(train, heldout),
            "longest": choose(heldout, lambda _, choice: len(choice)),
            "shortest": choose(heldout, lambda _, choice: -len(choice)),
            "shared words": choose(heldout, overlap),
        }
    first, second = next(pair for pair in PAIRS if pair[0] in heldout[0])
    features: dict[str, Features] = {
        "bag of words": lambda r: both(r[first], r[second]),
        "length": lambda r: lengths(r[first], r[second]),
        "shared words": lambda r: shared(r[first], r[second]),
        f"{first} alone": lambda r: bag(r[first]),
        f"{second} alone": lambda r: bag(r[second]),
    }
    return found | {name: score(train, heldout, f) for name, f in features.items()}


def main() -> int:
    for path in map(Path, sys.argv[1:]):
        train, heldout = read(path)
        figures = ", ".join(f"{name} {100 * value:.1f}" for name, value in baselines(train, heldout).items())
        print(f"{path.name.partition('.')[0]}: {len(train):,} train, {len(heldout):,} held out; {figures}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
