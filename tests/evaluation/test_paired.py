"""Models on the same documents: laws of the paired tests, and what cannot be compared."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import fmean
from typing import Any

import pytest
from scipy.stats import binomtest

from gptwright.evaluation.harness.run import TaskResult
from gptwright.evaluation.harness.scoring import METRICS, Corpus
from gptwright.evaluation.metrics import macro_f1
from gptwright.evaluation.paired import Evaluated, differences
from gptwright.foundations.errors import InputError
from gptwright.training.evaluation import Evaluation


def result(scores: Sequence[Any], figure: str = "acc", task: str = "made", file: str = "a.jsonl") -> TaskResult:
    documents = [{"where": f"line {n} of {file}", "choices": [], "targets": ["x"], "scores": {figure: score}}
                 for n, score in enumerate(scores, 1)]  # fmt: skip
    return TaskResult(task, 0, Evaluation(), documents)


def two(first: TaskResult, second: TaskResult) -> list[Evaluated]:
    return [Evaluated("a", [first]), Evaluated("b", [second])]


def drawn(share: float, seed: int, count: int = 60) -> list[float]:
    random = Random(seed)
    return [float(random.random() < share) for _ in range(count)]


def test_equal_models_are_not_apart() -> None:
    (found,) = differences(two(result(drawn(0.5, 1)), result(drawn(0.5, 1))))
    assert (found.p, found.estimate.value, found.estimate.low, found.estimate.high) == (1.0, 0.0, 0.0, 0.0)
    assert not found.apart


def test_right_and_wrong_are_compared_by_the_exact_binomial() -> None:
    a, b = drawn(0.8, 1), drawn(0.4, 2)
    (found,) = differences(two(result(a), result(b)))
    only_a, only_b = (sum(x > y for x, y in zip(*pair, strict=True)) for pair in ((a, b), (b, a)))
    assert found.p == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)
    assert found.apart and found.estimate.value == pytest.approx((sum(a) - sum(b)) / 60)
    assert found.estimate.low > 0


def test_the_order_of_models_is_nothing_but_the_sign() -> None:
    models = two(result(drawn(0.7, 1)), result(drawn(0.5, 2)))
    (one,), (other,) = differences(models), differences(models[::-1])
    assert (one.p, one.apart, one.first) == (other.p, other.apart, other.second)
    assert (one.estimate.value, one.estimate.low) == pytest.approx((-other.estimate.value, -other.estimate.high))


def test_other_scores_are_compared_by_their_interval() -> None:
    a = [-float(n % 7) for n in range(40)]
    (better,) = differences(two(result([x + 0.5 for x in a], "perplexity"), result(a, "perplexity")))
    assert better.p is None and better.apart and better.estimate.value == pytest.approx(0.5)
    (rate,) = differences(
        two(result([[x - 1, 9] for x in a], "bits_per_byte"), result([[x, 9] for x in a], "bits_per_byte"))
    )
    assert rate.estimate.value == pytest.approx(-1)


def of_all(values: Sequence[Any], figure: str, corpus: Corpus) -> TaskResult:
    return replace(result(values, figure), corpus={figure: corpus})


def test_a_figure_of_all_documents_together_is_drawn_anew_for_both() -> None:
    metric = METRICS["multiple_choice"]["f1_macro"]
    assert metric.corpus
    truth = [n % 2 for n in range(60)]
    good, bad = ([(t, t if hit else 1 - t) for t, hit in zip(truth, drawn(share, seed), strict=True)]
                 for share, seed in ((0.9, 1), (0.5, 2)))  # fmt: skip
    (found,) = differences(two(of_all(good, "f1_macro", metric.corpus), of_all(bad, "f1_macro", metric.corpus)))
    assert found.p is None and found.apart and found.estimate.count == 60
    assert found.estimate.value == pytest.approx(macro_f1(*zip(*good, strict=True)) - macro_f1(*zip(*bad, strict=True)))
    (same,) = differences(two(of_all(good, "f1_macro", metric.corpus), of_all(good, "f1_macro", metric.corpus)))
    assert (same.estimate.value, same.estimate.low, same.estimate.high) == (0.0, 0.0, 0.0) and not same.apart


def test_the_bootstrap_of_a_figure_that_is_a_mean_is_the_one_of_means() -> None:
    a, b = drawn(0.7, 1), drawn(0.5, 2)
    as_mean = differences(two(result(a), result(b)))[0].estimate
    as_corpus = differences(two(of_all(a, "acc", fmean), of_all(b, "acc", fmean)))[0].estimate
    assert (as_corpus.value, as_corpus.low, as_corpus.high) == pytest.approx((as_mean.value, as_mean.low, as_mean.high))


def test_every_figure_has_a_score_a_document_or_is_one_of_all() -> None:
    of_everything = {name for known in METRICS.values() for name, metric in known.items() if metric.corpus}
    assert of_everything == {"f1", "f1_macro", "mcc", "calibration_error", "bleu"}


def test_three_models_are_three_pairs() -> None:
    models = [Evaluated(name, [result(drawn(0.5, seed))]) for seed, name in enumerate("abc")]
    assert [(each.first, each.second) for each in differences(models)] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_documents_that_only_one_could_be_scored_on_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = differences(two(result([1.0, 0.0, 1.0]), result([1.0, 0.0])))
    assert found.estimate.count == 2 and "1 dropped" in (said := capsys.readouterr().err) and "line 3" in said


def test_models_without_a_task_or_a_document_in_common_are_refused() -> None:
    with pytest.raises(InputError, match="a task that both a and b were scored on"):
        differences(two(result([1.0]), result([1.0], task="other")))
    with pytest.raises(InputError, match="documents of made that both models"):
        differences(two(result([1.0]), result([1.0], file="b.jsonl")))


def test_the_control_begins_without_examples() -> None:
    real = [TaskResult("t", shots, Evaluation(), []) for shots in (2, 0)]
    shuffled = TaskResult("t", 2, Evaluation(), [])
    model = Evaluated("a", real, [shuffled])
    assert model.of("t") == real[::-1] and model.of("t", control=True) == [real[1], shuffled]
    assert Evaluated("a", real).of("t", control=True) == []
