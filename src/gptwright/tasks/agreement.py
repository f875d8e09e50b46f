"""How well a task's answers agree with the truth, each figure with its interval."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from gptwright.evaluation import metrics
from gptwright.evaluation.intervals import share
from gptwright.tasks.labelled_examples import Kind
from gptwright.training.evaluation import Estimate


def agreement(
    kind: Kind, targets: Sequence[Float[Tensor, "..."]], answers: Sequence[Float[Tensor, "_"]]
) -> dict[str, Estimate]:
    """Figures of the task's kind, from what the head says of each example: logits, or a number.

    A label of which several may be true is said from a probability of 1/2 on.
    """
    if kind == "number":
        return _of_numbers([float(target) for target in targets], [float(number) for number in answers])
    if kind == "labels":
        said = [tuple((logits > 0).int().tolist()) for logits in answers]
        return _of_labels([tuple(target.int().tolist()) for target in targets], said)
    truth, found = ([int(target) for target in targets], [int(logits.argmax()) for logits in answers])
    return _accuracy(truth, found) if kind == "choice" else _of_classes(truth, found, len(answers[0]))


def _of_classes(truth: Sequence[int], found: Sequence[int], classes: int) -> dict[str, Estimate]:
    figures = {"macro_f1": metrics.macro_f1, "matthews": metrics.matthews}
    if classes == 2:
        figures["f1"] = lambda truth, found: metrics.f1(truth, found, 1)
    return _accuracy(truth, found) | {name: metrics.bootstrap(each, truth, found) for name, each in figures.items()}


def _of_labels(truth: Sequence[tuple[int, ...]], found: Sequence[tuple[int, ...]]) -> dict[str, Estimate]:
    """An answer is right when all its labels are."""
    figures = {"macro_f1": metrics.label_macro_f1, "micro_f1": metrics.label_micro_f1}
    return _accuracy(truth, found) | {name: metrics.bootstrap(each, truth, found) for name, each in figures.items()}


def _accuracy(truth: Sequence[object], found: Sequence[object]) -> dict[str, Estimate]:
    return {"accuracy": share(sum(t == f for t, f in zip(truth, found, strict=True)), len(truth))}


def _of_numbers(truth: Sequence[float], found: Sequence[float]) -> dict[str, Estimate]:
    figures = {"pearson": metrics.pearson, "spearman": metrics.spearman}
    return {name: metrics.bootstrap(figure, truth, found) for name, figure in figures.items()}
