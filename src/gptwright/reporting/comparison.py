"""Models side by side on tasks: what each scored, and which differences are more than chance."""

from collections.abc import Sequence

from gptwright.evaluation.harness.table import markdown, shots
from gptwright.evaluation.paired import Difference, Evaluated
from gptwright.training.evaluation import Estimate

Names = tuple[str, str, str]
MEANING = (
    "A difference is the first model's score of a document less the second's, in the mean, with its 95 % interval by a "
    "bootstrap over documents; of perplexities and bits a byte, of a document's log-likelihood in nats. F1 of classes, "
    "Matthews correlation, calibration error and BLEU are figures of all documents: their difference and its interval "
    "are those of both models' figures on the same documents, drawn anew together. p is McNemar's exact one, for "
    "scores that are right or wrong."
)


def comparison(models: Sequence[Evaluated], found: Sequence[Difference]) -> str:
    """Both tables in Markdown."""
    scores = [("task", "shots", "figure", *(model.name for model in models))]
    for names, estimates in side_by_side(models):
        scores.append((*names, *(written(estimate) for estimate in estimates)))
    tests = [("task", "shots", "figure", "models", "difference", "95 % interval", "p", "documents", "")]
    for each in found:
        tests.append((each.task, str(each.shots), each.figure, f"{each.first} − {each.second}", *tested(each)))
    return "\n\n".join([markdown(scores), markdown(tests), f"{MEANING} {caution(found)}"])


def side_by_side(models: Sequence[Evaluated]) -> list[tuple[Names, list[Estimate | None]]]:
    """(task, shots, figure) and what every model scored there, None where it did not."""
    found: dict[Names, dict[str, Estimate]] = {}
    for model in models:
        for result in model.results:
            for figure, estimate in result.evaluation.estimates.items():
                found.setdefault((result.task, shots(result), figure), {})[model.name] = estimate
    return [(names, [scored.get(model.name) for model in models]) for names, scored in found.items()]


def written(estimate: Estimate | None) -> str:
    """0.325 (0.2008–0.4798)."""
    return f"{estimate.value:.4g} ({interval(estimate)})" if estimate else "–"


def interval(estimate: Estimate) -> str:
    """Its ends."""
    return f"{estimate.low:.4g} to {estimate.high:.4g}".replace("-", "−")


def tested(each: Difference) -> tuple[str, str, str, str, str]:
    """The difference, its interval, p, the documents, and a word on it."""
    value, p = f"{each.estimate.value:+.4g}".replace("-", "−"), "" if each.p is None else f"{each.p:.3g}"
    return value, interval(each.estimate), p, f"{each.estimate.count:,}", "apart" if each.apart else "may be chance"


def caution(found: Sequence[Difference]) -> str:
    """What many tests mean together."""
    chance = f"{0.05 * len(found):.2g}"
    return f"Of {len(found)} such comparisons, chance alone sets about {chance} apart: nothing is corrected for that."
