"""Before and after: what supervised fine-tuning, the reward model and PPO changed, with 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gptwright.evaluation.intervals import Estimate
from gptwright.reporting.charts import interval_bar
from gptwright.reporting.collect import Run
from gptwright.reporting.lineage import CONTROL
from gptwright.reporting.scores import ModelScores
from gptwright.reporting.wording import MISSING, interval, percent, plain


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


Measure = Callable[[ModelScores], float | None]


def before_and_after(run: Run) -> list[Table]:
    """The tables that the run's figures allow."""
    return [table for table in (_answering(run), _ordering(run), _preferred(run)) if table]


def _share(estimate: Estimate | None) -> Cell:
    if estimate is None:
        return Cell(MISSING)
    return Cell(percent(estimate.value, 1), interval(estimate), interval_bar(estimate))


def _row(name: str, note: str, models: Sequence[ModelScores], measure: Measure, digits: int) -> Row:
    return Row(name, note, [Cell(plain(measure(model), digits)) for model in models])


def _exact(models: Sequence[ModelScores]) -> list[Row]:
    counts = {kind: estimate.count for model in models for kind, estimate in model.exact.items()}
    return [
        Row(kind, f"exact answers to {count:,} questions", [_share(model.exact.get(kind)) for model in models])
        for kind, count in counts.items()
    ]


def _text(models: Sequence[ModelScores]) -> list[Row]:
    return [
        _row("held-out text", "nats a token, lower is better", models, lambda model: model.heldout_nats, 3),
        _row("held-out text", "bits a byte, lower is better", models, lambda model: model.heldout_bits_per_byte, 3),
    ]


def _answering(run: Run) -> Table | None:
    scores = run.answering()
    names = [name for name in ("untrained", "pretrained", "sft") if name in scores]
    if not names:
        return None
    models = [scores[name] for name in names]
    return Table("Supervised fine-tuning", "from a writer to one who answers", names, _exact(models) + _text(models))


def _ordering(run: Run) -> Table | None:
    reward, control = run.ordering("reward"), run.ordering(CONTROL)
    if reward is None:
        return None
    estimates = [reward.before, reward.after, control.after if control else None]
    count = next((estimate.count for estimate in estimates if estimate), 0)
    row = Row(
        "pairs ordered rightly", f"of {count:,} held-out pairs; a coin gives 50 %", [_share(e) for e in estimates]
    )
    return Table("Reward model", "does it judge as the labeller does?", ["before", "after", "control"], [row])


def _preferred(run: Run) -> Table | None:
    scores = run.policy()
    if scores is None or not {"sft", "ppo"} <= scores.models.keys():
        return None
    models = [scores.models["sft"], scores.models["ppo"]]
    count = f"of {scores.wins.count:,} held-out prompts" if scores.wins else ""
    rows = [
        Row("wins", f"{count}, by {scores.judge}", [Cell("even", "against itself"), _share(scores.wins)]),
        _row("judge's score", "mean, higher is better", models, lambda model: model.judge_score, 2),
        Row("KL", "nats an answer, from sft", [Cell("0"), Cell(plain(scores.kl_nats, 1))]),
        Row("different word pairs", "share of all pairs", [Cell(percent(model.distinct_pairs, 1)) for model in models]),
        _row("words", "an answer", models, lambda model: model.answer_words, 1),
    ]
    return Table(
        "PPO", "from one who answers to one who is preferred", ["sft", "ppo"], rows + _exact(models) + _text(models)
    )
