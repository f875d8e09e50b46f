"""Models on the same documents: laws of the paired tests, and what cannot be compared."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from scipy.stats import binomtest

from gptwright.evaluation.harness.run import TaskResult
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


def test_a_figure_of_all_documents_together_has_no_difference() -> None:
    assert differences(two(result([(0, 1), (1, 1)], "f1"), result([(0, 0), (1, 1)], "f1"))) == []


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
