"""The curves of several runs over each other: a chart for whatever was measured, and in it a line a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gptwright.reporting.charts import Curve, Points
from gptwright.reporting.collect import Run
from gptwright.reporting.curves import POLICY, TONES, Figure, drawn, heldout_bits, train_bits


@dataclass(frozen=True)
class Plot:
    """What is drawn of every run: (step, value), and how."""

    title: str
    unit: str
    points: Callable[[Run], Points]
    kind: Literal["noisy", "sparse"] = "noisy"
    x_name: str = "step"
    digits: int = 2


def _of(role: str, metric: str) -> Callable[[Run], Points]:
    return lambda run: stage.curve(metric) if (stage := run.stage(role)) else []


def _of_policy(metric: str) -> Callable[[Run], Points]:
    return lambda run: run.policy.curve(metric) if run.policy else []


PLOTS = (
    Plot("Pretraining, held out", "bits a byte", heldout_bits, "sparse", digits=3),
    Plot("Pretraining, training", "bits a byte", train_bits, digits=3),
    Plot("Code", "training loss, nats a token", _of("codex", "loss_nats")),
    Plot("Fine-tuning", "training loss, nats", _of("finetune", "loss_nats")),
    Plot("Supervised fine-tuning", "training loss of answers, nats a token", _of("sft", "answer_nats")),
    Plot("Images and texts", "training loss, nats", _of("clip", "loss_nats")),
    Plot("Seeing", "training loss, nats a token", _of("vision", "loss_nats")),
    Plot("Reward model", "training loss, nats a pair", _of("reward", "loss_nats")),
    *(Plot(f"Policy: {title}", unit, _of_policy(metric), "sparse", "update", digits)
      for metric, (title, unit, digits) in POLICY.items()),
)  # fmt: skip


def overlays(names: Sequence[str], runs: Sequence[Run]) -> list[Figure]:
    """A chart for each of `PLOTS` of which at least one run has two points. Beyond five runs the lines are dashed."""
    found = [drawn(plot.title, plot.unit, _curves(plot, names, runs), plot.x_name, plot.digits) for plot in PLOTS]
    return [figure for figure in found if figure.chart]


def _curves(plot: Plot, names: Sequence[str], runs: Sequence[Run]) -> list[Curve]:
    return [
        Curve(
            name=f"{name} (dashed)" if place >= len(TONES) else name,
            points=plot.points(run),
            tone=TONES[place % len(TONES)],
            kind=plot.kind,
            dashed=place >= len(TONES),
        )
        for place, (name, run) in enumerate(zip(names, runs, strict=True))
    ]
