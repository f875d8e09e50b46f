"""Before and after: what supervised fine-tuning, the reward model and PPO changed, with 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gptwright.reporting.charts import interval_bar
from gptwright.reporting.collect import Run
from gptwright.reporting.lineage import CONTROL
from gptwright.reporting.wording import MISSING, interval, percent, plain
from gptwright.training.evaluation import Estimate, Evaluation


@dataclass(frozen=True)
class Cell:
    """A figure, its interval in words and as a bar."""

    text: str
    interval: str = ""
    bar: Markup | str = ""


@dataclass(frozen=True)
class Row:
    """A measurement over all columns; `note` says what it is or how many things were measured."""

    name: str
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """Columns are models, in the order of time."""

    title: str
    note: str
    columns: list[str]
    rows: list[Row]
    result: int = -1
    """which column is what came out in the end"""


# What the figures of a reward model are called, and what they say.
ORDER = {
    "kendall_tau_b": ("Kendall's τ-b", "with the labeller's order, by prompt; 1 is the same, 0 as by chance"),
    "ndcg": ("NDCG", "of all answers, by prompt; 1 is the best order"),
    "top1_regret": ("top-1 regret", "of taking the best scored: 0 a best answer, 1 a worst one"),
    "calibration_error": ("calibration error", "how far σ(difference) is from the share of right pairs"),
    "score_length_correlation": ("score and length", "correlation within a prompt; 0: length does not matter"),
}


def before_and_after(run: Run) -> list[Table]:
    """The tables that the run's figures allow."""
    return [table for kind in KINDS if (table := kind(run))]


def share(estimate: Estimate | None) -> Cell:
    """In percent, with its interval."""
    if estimate is None:
        return Cell(MISSING)
    return Cell(percent(estimate.value, 1), interval(estimate), interval_bar(estimate))


def _number(estimate: Estimate | None) -> Cell:
    if estimate is None:
        return Cell(MISSING)
    return Cell(plain(estimate.value, 3), f"{plain(estimate.low, 3)} to {plain(estimate.high, 3)}")


def _row(name: str, note: str, models: Sequence[Evaluation], metric: str, digits: int) -> Row:
    return Row(name, note, [Cell(plain(model.metrics.get(metric), digits)) for model in models])


def _exact(models: Sequence[Evaluation]) -> list[Row]:
    counts = {kind: estimate.count for model in models for kind, estimate in model.estimates.items()}
    return [
        Row(kind, f"right answers to {count:,} questions", [share(model.estimates.get(kind)) for model in models])
        for kind, count in counts.items()
    ]


def _text(models: Sequence[Evaluation]) -> list[Row]:
    return [
        _row("held-out text", "nats a token, lower is better", models, "heldout_nats", 3),
        _row("held-out text", "bits a byte, lower is better", models, "heldout_bits_per_byte", 3),
    ]


def _answering(run: Run) -> Table | None:
    found = run.evaluations("sft")
    names = [name for name in ("untrained", "pretrained", "sft") if name in found]
    if not names:
        return None
    models = [found[name] for name in names]
    return Table("Supervised fine-tuning", "from a writer to one who answers", names, _exact(models) + _text(models))


def _ordering(run: Run) -> Table | None:
    if not run.evaluations("reward"):
        return None
    rows = [_of_order(run, "pair_accuracy", "pairs ordered rightly", "of {:,} held-out pairs; a coin gives 50 %")]
    after = run.evaluations("reward").get("after", Evaluation()).estimates
    for name in (name for name in after if name.startswith("pair_accuracy, ")):
        rows.append(_of_order(run, name, name.partition(", ")[2], "ordered rightly, of {:,} pairs"))
    rows += [_of_order(run, name, title, note) for name, (title, note) in ORDER.items() if name in after]
    return Table("Reward model", "does it judge as the labeller does?", ["before", "after", "control"], rows, result=1)


def _of_order(run: Run, name: str, title: str, note: str) -> Row:
    """A figure before, after, and of the control; shares as percentages."""
    estimates = [run.estimate(role, model, name) for role, model in
                 (("reward", "before"), ("reward", "after"), (CONTROL, "after"))]  # fmt: skip
    count = next((estimate.count for estimate in estimates if estimate), 0)
    cell = share if name.startswith("pair_accuracy") else _number
    return Row(title, note.format(count), [cell(estimate) for estimate in estimates])


def _preferred(run: Run) -> Table | None:
    policy, found, wins = run.policy, run.improvement(), run.wins()
    if policy is None or found is None:
        return None
    *models, comparison = found
    by = f"of {wins.share.count:,} held-out prompts, by {wins.judge}" if wins else ""
    pairs = [percent(model.metrics.get("distinct_pairs"), 1) for model in models]
    rows = [
        Row("wins", by, [Cell("even", "against itself"), share(wins.share if wins else None)]),
        _row("judge's score", "mean, higher is better", models, "judge_score", 2),
        Row("KL", "nats an answer, from sft", [Cell("0"), Cell(plain(comparison.metrics.get("kl_nats"), 1))]),
        Row("different word pairs", "share of all pairs", [Cell(text) for text in pairs]),
        _row("words", "an answer", models, "answer_words", 1),
    ]
    return Table(
        policy.role.upper(),
        "from one who answers to one who is preferred",
        ["sft", policy.role],
        rows + _exact(models) + _text(models),
    )


KINDS: tuple[Callable[[Run], Table | None], ...] = (_answering, _ordering, _preferred)
"""the tables of a run, each where it has the figures"""
