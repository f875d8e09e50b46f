"""The classifier of quality: the minimum that scikit-learn finds, the same bits from any order and after a save."""

import random
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from gptwright.foundations.errors import ArtifactError
from gptwright.text.filters.quality import BUCKETS, STRENGTH, QualityClassifier, features, half_of, learn_quality

GOOD, BAD = (
    ["river", "mill", "bread", "wheel", "winter", "answer"],
    ["casino", "click", "cheap", "login", "winner", "offer"],
)


def texts(own: list[str], count: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    shared = [f"word{i}" for i in range(300)]
    return [" ".join(dice.choices(own, k=5) + dice.choices(shared, k=dice.randrange(5, 60))) for _ in range(count)]


def test_each_half_is_scikit_learns_logistic_regression_of_it() -> None:
    good, raw = texts(GOOD, 60, 1) + texts(BAD, 10, 2), texts(BAD, 200, 3) + texts(GOOD, 30, 4)
    ours = learn_quality(good, raw)
    for half in (0, 1):
        learned = [(text, label) for side, label in ((good, 1), (raw, 0)) for text in side if half_of(text) == half]
        theirs = LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-10, max_iter=5_000)
        theirs.fit(matrix([text for text, _ in learned]), [label for _, label in learned])
        judged = [text for text in (*good, *raw) if half_of(text) != half]
        scores = list(map(ours.score, judged))
        np.testing.assert_allclose(scores, theirs.predict_proba(matrix(judged))[:, 1], atol=1e-5)


def matrix(texts: list[str]) -> csr_matrix:
    rows = [features(text) for text in texts]
    buckets, values = (np.concatenate(column) for column in zip(*rows, strict=True))
    return csr_matrix((values, buckets, np.cumsum([0, *(len(own) for own, _ in rows)])), (len(rows), BUCKETS))


def test_what_was_read_as_raw_is_not_remembered_as_raw() -> None:
    """Good texts score as high among the raw ones that were learned from as when they were not."""
    hidden, unseen = texts(GOOD, 100, 5), texts(GOOD, 100, 6)
    learned = learn_quality(texts(GOOD, 100, 1), texts(BAD, 300, 2) + hidden)
    assert abs(np.mean([learned.score(t) for t in hidden]) - np.mean([learned.score(t) for t in unseen])) < 0.03


def test_it_tells_apart_what_it_has_not_read() -> None:
    learned = learn_quality(texts(GOOD, 60, 1), texts(BAD, 300, 2))
    assert min(map(learned.score, texts(GOOD, 50, 3))) > 0.5 > max(map(learned.score, texts(BAD, 50, 4)))


def test_features_have_length_one_and_know_neither_letter_case_nor_signs() -> None:
    buckets, values = features("The mill, the MILL; the wheel.")
    assert len(buckets) == 3 and float((values**2).sum()) == pytest.approx(1)
    assert sorted(values.tolist()) == pytest.approx([1 / 14**0.5, 2 / 14**0.5, 3 / 14**0.5])
    assert features("the mill the mill the wheel")[0].tolist() == buckets.tolist()
    assert len(features("")[0]) == 0


def test_the_same_texts_give_the_same_bits() -> None:
    good, raw = texts(GOOD, 30, 1), texts(BAD, 90, 2)
    assert learn_quality(good, raw).sha256 == learn_quality(good, raw).sha256


def test_a_half_without_words_and_texts_without_words() -> None:
    raw = texts(BAD, 20, 1)
    with pytest.raises(ValueError, match="without words"):
        learn_quality(["one text"], raw)
    learned = learn_quality([*texts(GOOD, 20, 2), "", "..."], [*raw, "", "!"])
    assert learned.score("mill") > 0.5 > learned.score("casino")


def test_it_is_read_as_it_was_saved_and_nothing_else_is(tmp_path: Path) -> None:
    learned = learn_quality(texts(GOOD, 30, 1), texts(BAD, 90, 2))
    learned.save(tmp_path / "quality.safetensors")
    again = QualityClassifier.load(tmp_path / "quality.safetensors")
    assert again.sha256 == learned.sha256 and again.score("the river") == learned.score("the river")
    save_file({"weights": learned.weights}, tmp_path / "other.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    for name in ("other", "damaged", "missing"):
        with pytest.raises(ArtifactError, match=r"quality\.safetensors of a run"):
            QualityClassifier.load(tmp_path / f"{name}.safetensors")
