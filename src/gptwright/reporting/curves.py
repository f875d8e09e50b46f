"""Which curves a run has to show."""

from dataclasses import dataclass

from markupsafe import Markup

from gptwright.reporting.charts import Curve, line_chart
from gptwright.reporting.checks.text import bits, bytes_per_token
from gptwright.reporting.collect import Run
from gptwright.reporting.lineage import CONTROL
from gptwright.reporting.wording import plain


@dataclass(frozen=True)
class Figure:
    """A chart with its heading, its unit, and the curves' names, tones and last values for the legend."""

    title: str
    unit: str
    chart: Markup
    legend: list[tuple[str, str, str]]


def figures(run: Run) -> list[Figure]:
    """The charts of all stages that measured something at two steps at least."""
    found = [_pretrain(run), _sft(run), _reward(run), *_ppo(run)]
    return [figure for figure in found if figure.chart]


def _figure(title: str, unit: str, curves: list[Curve], x_name: str = "step", digits: int = 2) -> Figure:
    chart = line_chart(f"{title}, {unit}", curves, x_name=x_name, digits=digits)
    shown = [curve for curve in curves if len(curve.points) > 1]
    return Figure(title, unit, chart, [(curve.name, curve.tone, plain(curve.last(), digits)) for curve in shown])


def _pretrain(run: Run) -> Figure:
    stage, size = run.stage("pretrain"), bytes_per_token(run)
    if stage is None:
        return _figure("Pretraining", "bits a byte", [])
    train = [(step, bits(nats, size)) for step, nats in stage.curve("loss_nats")] if size else []
    heldout = stage.curve("heldout_bits_per_byte")
    final = stage.metric("heldout_bits_per_byte")
    if final is not None and (not heldout or heldout[-1][0] < stage.steps_done):
        heldout = [*heldout, (stage.steps_done, final)]
    curves = [Curve(name="training", points=train, tone="b"), Curve(name="held out", points=heldout, kind="sparse")]
    return _figure("Pretraining", "bits a byte", curves, digits=3)


def _sft(run: Run) -> Figure:
    stage = run.stage("sft")
    curves = [
        Curve(name="answers", points=stage.curve("answer_nats")),
        Curve(name="pretraining text", points=stage.curve("text_nats"), tone="b"),
    ] if stage else []  # fmt: skip
    return _figure("Supervised fine-tuning", "training loss, nats a token", curves)


def _reward(run: Run) -> Figure:
    names = {"reward": "reward", CONTROL: "control, shuffled ranks"}
    stages = {role: run.stage(role) for role in names}
    curves = [
        Curve(name=names[role], points=stage.curve("loss_nats"), tone="a" if role == "reward" else "b")
        for role, stage in stages.items()
        if stage
    ]
    return _figure("Reward model", "training loss, nats a pair", curves)


def _ppo(run: Run) -> list[Figure]:
    stage = run.policy
    if stage is None:
        return []
    shown = {
        "score": ("score", "of the reward model, in its standard deviations"),
        "kl_nats": ("distance", "KL from sft, nats an answer"),
        "answer_tokens": ("length", "tokens an answer"),
    }
    return [
        _figure(
            f"{stage.role.upper()}: {title}",
            unit,
            [Curve(name="", points=stage.curve(name), kind="sparse")],
            "update",
            1 if name == "answer_tokens" else 2,
        )
        for name, (title, unit) in shown.items()
    ]
