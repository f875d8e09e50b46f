"""Several models on the same documents: what a document is hard for, it is hard for all, so differences are paired.

Right and wrong are compared by McNemar's exact test, other scores of a document by a bootstrap over documents, and so
are figures that only all documents together have, such as F1 and BLEU.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from jaxtyping import Float
from torch import Tensor

from gptwright.evaluation.harness.run import TaskResult
from gptwright.evaluation.harness.scoring import Corpus
from gptwright.evaluation.metrics import bootstrap, mcnemar, paired_bootstrap
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.training.evaluation import Estimate

RATES = ("word_perplexity", "byte_perplexity", "bits_per_byte")
Key = tuple[str, int]


@dataclass(frozen=True)
class Evaluated:
    """A model and what it scored."""

    name: str
    results: Sequence[TaskResult]
    control: Sequence[TaskResult] = ()
    """the same with examples whose answers were drawn at random"""
    induction: Float[Tensor, "L H"] | None = None
    """the induction-head score of every head"""
    parameters: int | None = None
    tokens: int | None = None
    """read in pretraining, where it is known"""

    def of(self, task: str, *, control: bool = False) -> list[TaskResult]:
        """Its results on a task, fewest examples first; the control begins where there is no example to be false."""
        real = [found for found in self.results if found.task == task]
        chosen = real
        if control:
            chosen = [found for found in self.control if found.task == task]
            chosen += [found for found in real if chosen and not found.shots]
        return sorted(chosen, key=lambda found: found.shots)


@dataclass(frozen=True)
class Difference:
    """Of a figure of two models: the first's score a document less the second's, in the mean, or of all documents
    together."""

    task: str
    shots: int
    figure: str
    first: str
    second: str
    estimate: Estimate
    p: float | None
    """of McNemar's test; None for scores that are not right or wrong"""

    @property
    def apart(self) -> bool:
        """Whether chance alone would do this in fewer than 5 of 100 such comparisons."""
        return self.p < 0.05 if self.p is not None else not self.estimate.low <= 0 <= self.estimate.high


def differences(models: Sequence[Evaluated], seed: int = 0) -> list[Difference]:
    """Of each two models, on each task with as many examples, in each figure.

    Documents that only one of the two could be scored on are left out, counted and said. Raises `InputError` for two
    models without a task, or without a document of a task, in common.
    """
    return [found for first, second in combinations(models, 2) for found in _of_two(first, second, seed)]


def _of_two(first: Evaluated, second: Evaluated, seed: int) -> list[Difference]:
    mine, theirs = (_by_key(model.results) for model in (first, second))
    shared = [key for key in mine if key in theirs]
    if not shared:
        needed = f"a task that both {first.name} and {second.name} were scored on"
        raise InputError(needed, f"{_named(mine)}; and {_named(theirs)}", "Give both the same --tasks and --shots.")
    found: list[Difference] = []
    for task, shots in shared:
        intake = Intake(f"evaluate: {task}, {shots}-shot, {first.name} and {second.name}")
        pairs = _same_documents(mine[task, shots], theirs[task, shots], intake)
        for figure in pairs[0][0]["scores"]:
            a, b = ([_score(document, figure) for document in side] for side in zip(*pairs, strict=True))
            tested = _tested(a, b, mine[task, shots].corpus.get(figure), seed)
            found.append(Difference(task, shots, figure, first.name, second.name, *tested))
    return found


def _tested(
    first: Sequence[Any], second: Sequence[Any], corpus: Corpus | None, seed: int
) -> tuple[Estimate, float | None]:
    """The difference, of means or of a figure of the corpus, and p where all scores are right or wrong."""
    if corpus:
        return bootstrap(lambda mine, theirs: corpus(mine) - corpus(theirs), first, second, seed), None
    right_or_wrong = {*first, *second} <= {0.0, 1.0}
    p = mcnemar([x == 1 for x in first], [x == 1 for x in second]) if right_or_wrong else None
    return paired_bootstrap(first, second, seed), p


def _by_key(results: Sequence[TaskResult]) -> dict[Key, TaskResult]:
    return {(found.task, found.shots): found for found in results if found.documents}


def _named(results: Mapping[Key, TaskResult]) -> str:
    return ", ".join(f"{task} {shots}-shot" for task, shots in results) or "nothing"


def _same_documents(
    first: TaskResult, second: TaskResult, intake: Intake
) -> Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Both models' record of each document that both have."""
    mine, theirs = ({_identity(document): document for document in each.documents} for each in (first, second))
    for where, *_ in mine.keys() ^ theirs.keys():
        intake.drop("that only one of the models could be scored on", where)
    pairs = [(document, theirs[key]) for key, document in mine.items() if key in theirs]
    intake.require(pairs, f"documents of {first.task} that both models were scored on", "Give both the same documents.")
    if intake.dropped.counts:
        intake.report(f"{len(pairs):,} documents compared")
    return pairs


def _identity(document: Mapping[str, Any]) -> tuple[str, str]:
    """Where it stands, and what it asks for: another file of the same name has other documents."""
    return document["where"], repr((list(document["choices"]), list(document["targets"])))


def _score(document: Mapping[str, Any], figure: str) -> Any:
    """Of the document, or what it adds to a figure of all. A text's is its log-likelihood."""
    value = document["scores"][figure]
    return value[0] if figure.partition(",")[0] in RATES else value
