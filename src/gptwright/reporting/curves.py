"""Which curves a run has to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from markupsafe import Markup

from gptwright.reporting.charts import Curve, Points, Tone, line_chart
from gptwright.reporting.checks.text import bits, bytes_per_token
from gptwright.reporting.collect import Run
from gptwright.reporting.lineage import CONTROL
from gptwright.reporting.wording import plain

TONES: tuple[Tone, ...] = get_args(Tone)
POLICY = {
    "score": ("score", "of the reward model, in its standard deviations", 2),
    "kl_nats": ("distance", "KL from sft, nats an answer", 2),
    "answer_tokens": ("length", "tokens an answer", 1),
}
"""what is drawn of a stage that improves a policy: title, unit, digits"""


@dataclass(frozen=True)
class Figure:
    """A chart with its heading, its unit, and the curves' names, tones and last values for the legend; the `curves`
    too, for pages that draw by themselves."""

    title: str
    unit: str
    chart: Markup
    legend: list[tuple[str, str, str]]
    curves: Sequence[Curve] = ()
    x_name: str = "step"
    digits: int = 2


def figures(run: Run) -> list[Figure]:
    """The charts of all stages that measured something at two steps at least."""
    found = [_pretrain(run), _sft(run), _reward(run), *_ppo(run)]
    return [figure for figure in found if figure.chart]


def drawn(title: str, unit: str, curves: list[Curve], x_name: str = "step", digits: int = 2) -> Figure:
    """The curves of two points at least as one chart, which is empty where there is none."""
    chart = line_chart(f"{title}, {unit}", curves, x_name=x_name, digits=digits)
    shown = [curve for curve in curves if len(curve.points) > 1]
    legend = [(curve.name, curve.tone, plain(curve.last(), digits)) for curve in shown]
    return Figure(title, unit, chart, legend, shown, x_name, digits)


def train_bits(run: Run) -> Points:
    """Training loss of pretraining by step, bits a byte; nothing where the bytes of a token are not known."""
    stage, size = run.stage("pretrain"), bytes_per_token(run)
    return [(step, bits(nats, size)) for step, nats in stage.curve("loss_nats")] if stage and size else []


def heldout_bits(run: Run) -> Points:
    """Held-out loss of pretraining by step, bits a byte; the final measurement closes it."""
    stage = run.stage("pretrain")
    if stage is None:
        return []
    heldout, final = stage.curve("heldout_bits_per_byte"), stage.metric("heldout_bits_per_byte")
    if final is not None and (not heldout or heldout[-1][0] < stage.steps_done):
        return [*heldout, (stage.steps_done, final)]
    return heldout


def _pretrain(run: Run) -> Figure:
    curves = [
        Curve(name="training", points=train_bits(run), tone="b"),
        Curve(name="held out", points=heldout_bits(run), kind="sparse"),
    ]
    return drawn("Pretraining", "bits a byte", curves, digits=3)


def _sft(run: Run) -> Figure:
    stage = run.stage("sft")
    curves = [
        Curve(name="answers", points=stage.curve("answer_nats")),
        Curve(name="pretraining text", points=stage.curve("text_nats"), tone="b"),
    ] if stage else []  # fmt: skip
    return drawn("Supervised fine-tuning", "training loss, nats a token", curves)


def _reward(run: Run) -> Figure:
    names = {"reward": "reward", CONTROL: "control, shuffled ranks"}
    stages = {role: run.stage(role) for role in names}
    curves = [
        Curve(name=names[role], points=stage.curve("loss_nats"), tone="a" if role == "reward" else "b")
        for role, stage in stages.items()
        if stage
    ]
    return drawn("Reward model", "training loss, nats a pair", curves)


def _ppo(run: Run) -> list[Figure]:
    stage = run.policy
    if stage is None:
        return []
    return [
        drawn(
            f"{stage.role.upper()}: {title}",
            unit,
            [Curve(name="", points=stage.curve(name), kind="sparse")],
            "update",
            digits,
        )
        for name, (title, unit, digits) in POLICY.items()
    ]
