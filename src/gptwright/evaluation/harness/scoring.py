"""From what a model did with the documents to figures, each with its interval.

A multiple choice is scored several ways at once: by the log-likelihood of the whole choice (`acc`), by characters or
bytes (`acc_norm`, `acc_bytes`), by tokens as GPT-3 did (`acc_tokens`), and against its likelihood after a neutral
context (`acc_mutual_info`; GPT-3 §2.4).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gptwright.evaluation import intervals
from gptwright.evaluation.code_tasks import pass_at_k
from gptwright.evaluation.harness.execution import Executed
from gptwright.evaluation.harness.filters import plain
from gptwright.evaluation.harness.requests import Reading
from gptwright.evaluation.harness.task_config import MetricConfig, OutputType, TaskConfig
from gptwright.evaluation.harness.templates import Item
from gptwright.evaluation.metrics import bootstrap, calibration_error, f1, macro_f1, matthews
from gptwright.evaluation.text_metrics import exact, rouge, rouge_l, token_f1
from gptwright.evaluation.translation import bleu_counts, corpus_bleu
from gptwright.foundations.errors import InputError, nearest
from gptwright.training.evaluation import Estimate

PASSED_OF = (1, 2, 5, 10, 20, 50, 100)
"""k of pass@k"""
Corpus = Callable[[Sequence[Any]], float]
"""a figure of all documents together, by what each adds to it"""


@dataclass(frozen=True)
class Outcome:
    """What the model did with an item: it read each choice, or the target, or the windows of a text; or it wrote."""

    readings: Sequence[Reading] = ()
    unconditional: Sequence[Reading] = ()
    """the choices after the neutral context, where that is asked for"""
    answer: str = ""
    executed: Sequence[Executed] = ()
    """of programs: all answers, and what became of each"""

    @property
    def totals(self) -> list[float]:
        """Log-likelihoods of what was read, in nats."""
        return [reading.total for reading in self.readings]

    @property
    def probabilities(self) -> list[float]:
        """Of the choices, among themselves."""
        most = max(self.totals)
        weights = [math.exp(total - most) for total in self.totals]
        return [weight / sum(weights) for weight in weights]


class Metric(NamedTuple):
    """A figure: what it is of one document, and how those of all are put together; `corpus` is the bare number of a
    figure that no document has alone."""

    of: Callable[[Item, Outcome, MetricConfig], Any]
    together: Callable[[list[Any]], Estimate]
    higher_is_better: bool = True
    corpus: Corpus | None = None


def chosen(scores: Sequence[float]) -> int:
    """The place of the highest score, the first of several."""
    return max(range(len(scores)), key=scores.__getitem__)


def metrics_of(task: TaskConfig) -> list[MetricConfig]:
    """The figures of a task. Raises `InputError` for one that its type does not have, or with another aggregation."""
    known = METRICS[task.output_type]
    extra = ["acc_mutual_info"] if task.unconditional is not None else []
    asked = task.metric_list or [MetricConfig(metric=name) for name in (*DEFAULTS[task.output_type], *extra)]
    for each in asked:
        if each.metric not in known:
            raise InputError(f"a metric for {task.output_type} in {task.task}", f"'{each.metric}'",
                             nearest(each.metric, known))  # fmt: skip
        if each.metric.startswith("pass@"):
            _require_answers(task, int(each.metric.removeprefix("pass@")))
        if each.higher_is_better not in (None, known[each.metric].higher_is_better):
            raise InputError(f"{each.metric} in {task.task} as it is", f"higher_is_better: {each.higher_is_better}",
                             "Leave the field out.")  # fmt: skip
    return asked


def _require_answers(task: TaskConfig, k: int) -> None:
    if not task.execution or task.repeats < k:
        got = f"repeats: {task.repeats}" if task.execution else "no execution"
        raise InputError(f"execution, and at least {k} repeats, for pass@{k} in {task.task}", got, "Mend the task.")


def _hit(scores: Callable[[Item, Outcome], Sequence[float]]) -> Metric:
    """The share of documents whose best choice by these scores is right."""
    return Metric(lambda item, outcome, how: float(chosen(scores(item, outcome)) in item.right), _share)


def _by(length: Callable[[str], int]) -> Metric:
    return _hit(lambda item, outcome: [
        total / length(choice) for total, choice in zip(outcome.totals, item.choices, strict=True)
    ])  # fmt: skip


def _gains(item: Item, outcome: Outcome) -> list[float]:
    return [after.total - alone.total for after, alone in zip(outcome.readings, outcome.unconditional, strict=True)]


def _label(item: Item, outcome: Outcome, how: MetricConfig) -> tuple[int, int]:
    return item.right[0], chosen(outcome.totals)


def _brier(item: Item, outcome: Outcome, how: MetricConfig) -> float:
    return sum((p - (place in item.right)) ** 2 for place, p in enumerate(outcome.probabilities))


def _sure(item: Item, outcome: Outcome, how: MetricConfig) -> tuple[float, float]:
    place = chosen(outcome.totals)
    return outcome.probabilities[place], float(place in item.right)


def _share(values: Sequence[float]) -> Estimate:
    return intervals.share(sum(values), len(values))


def _corpus(
    of: Callable[[Item, Outcome, MetricConfig], Any],
    figure: Callable[[Sequence[Any], Sequence[Any]], float],
    *,
    higher_is_better: bool = True,
) -> Metric:
    """A figure of all documents' pairs, such as (truth, found), with a bootstrap interval."""
    return Metric(
        of,
        lambda pairs: bootstrap(figure, [first for first, _ in pairs], [second for _, second in pairs]),
        higher_is_better,
        lambda pairs: figure(*zip(*pairs, strict=True)),
    )


def _written(figure: Callable[[str, Sequence[str]], float]) -> Metric:
    return Metric(lambda item, outcome, how: figure(outcome.answer, item.targets), intervals.mean)


def _same(item: Item, outcome: Outcome, how: MetricConfig) -> float:
    """Letter by letter, blanks and line ends included, but for what the task says to ignore."""
    return float(plain(outcome.answer, how) in {plain(target, how) for target in item.targets})


def _rate(units: Callable[[Item], int], figure: Callable[[float], float]) -> Metric:
    """Of texts of so many units: a falling function of their log-likelihood a unit, over all texts together."""
    return Metric(lambda item, outcome, how: (sum(outcome.totals), units(item)),
                  lambda pairs: _falling(figure, intervals.ratio(*zip(*pairs, strict=True))), False)  # fmt: skip


def _falling(figure: Callable[[float], float], found: Estimate) -> Estimate:
    return Estimate(figure(found.value), figure(found.high), figure(found.low), found.count)


def _perplexity(mean: float) -> float:
    return math.exp(min(-mean, 700.0))  # beyond it there are no numbers


def _words(item: Item) -> int:
    """As the benchmark counts them, where its loader says so: WikiText counts the ends of lines too."""
    return item.line.get("words") or len(re.split(r"\s+", item.raw))


def _bytes(text: str) -> int:
    return len(text.encode())


def _raw_bytes(item: Item) -> int:
    return _bytes(item.raw)


def _passed(k: int) -> Metric:
    """The chance that one of k answers passes its tests, with the problems drawn anew."""

    def of(item: Item, outcome: Outcome, how: MetricConfig) -> float:
        return pass_at_k(len(outcome.executed), sum(each.passed for each in outcome.executed), k)

    return Metric(of, lambda values: bootstrap(lambda found, _: sum(found) / len(found), values, values))  # fmt: skip


_GREEDY = Metric(lambda item, outcome, how: float(all(reading.greedy for reading in outcome.readings)), _share)
METRICS: Mapping[OutputType, Mapping[str, Metric]] = {
    "loglikelihood": {
        "perplexity": Metric(lambda item, outcome, how: outcome.totals[0],
                             lambda totals: _falling(_perplexity, intervals.mean(totals)), False),
        "acc": _GREEDY,
    },
    "loglikelihood_rolling": {
        "word_perplexity": _rate(_words, _perplexity),
        "byte_perplexity": _rate(_raw_bytes, _perplexity),
        "bits_per_byte": _rate(_raw_bytes, lambda mean: -mean / math.log(2)),
    },
    "multiple_choice": {
        "acc": _hit(lambda item, outcome: outcome.totals),
        "acc_norm": _by(len),
        "acc_bytes": _by(_bytes),
        "acc_tokens": _hit(lambda item, outcome: [r.total / len(r.logprobs) for r in outcome.readings]),
        "acc_mutual_info": _hit(_gains),
        "exact_match": Metric(lambda item, outcome, how: float(any(outcome.readings[i].greedy for i in item.right)),
                              _share),
        "f1": _corpus(_label, lambda truth, found: f1(truth, found, 1)),
        "f1_macro": _corpus(_label, macro_f1),
        "mcc": _corpus(_label, matthews),
        "brier_score": Metric(_brier, intervals.mean, False),
        "calibration_error": _corpus(_sure, calibration_error, higher_is_better=False),
    },
    "generate_until": {
        **{f"pass@{k}": _passed(k) for k in PASSED_OF},
        "exact_match": Metric(_same, _share),
        "em": _written(exact),
        "f1": _written(token_f1),
        "rouge1": _written(lambda answer, targets: rouge(answer, targets, 1)),
        "rouge2": _written(lambda answer, targets: rouge(answer, targets, 2)),
        "rougeL": _written(rouge_l),
        "bleu": _corpus(lambda item, outcome, how: bleu_counts(outcome.answer, item.targets), corpus_bleu),
    },
}  # fmt: skip
DEFAULTS: Mapping[OutputType, Sequence[str]] = {
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "multiple_choice": ("acc", "acc_norm", "acc_bytes", "acc_tokens", "calibration_error"),
    "generate_until": ("exact_match",),
}
