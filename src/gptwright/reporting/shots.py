"""What examples in the context do: each task's score against their number, a line a model (GPT-3, figure 1.2)."""

from collections.abc import Sequence
from typing import get_args

from gptwright.evaluation.harness.run import TaskResult
from gptwright.evaluation.paired import Evaluated
from gptwright.reporting.charts import Curve, Tone, line_chart
from gptwright.reporting.curves import Figure
from gptwright.reporting.wording import plain, plural
from gptwright.training.evaluation import Estimate

TONES: tuple[Tone, ...] = get_args(Tone)


def shot_figures(models: Sequence[Evaluated]) -> list[Figure]:
    """A chart for each task on which a model was asked with several numbers of examples."""
    return [figure for task in tasks_of(models) if (figure := _figure(task, models)).chart]


def shot_sentences(models: Sequence[Evaluated]) -> list[str]:
    """Of each model on each such task, whether it does otherwise with most examples than with fewest."""
    found = [(task, model.name, model.of(task)) for task in tasks_of(models) for model in models]
    return [_sentence(task, name, results) for task, name, results in found if len(results) > 1]


def tasks_of(models: Sequence[Evaluated]) -> list[str]:
    """The tasks that any model was scored on, each once."""
    return list(dict.fromkeys(result.task for model in models for result in model.results))


def shown(result: TaskResult) -> str:
    """The figure that stands for a task: accuracy where it has one, else its first."""
    names = list(result.evaluation.estimates)
    return "acc" if "acc" in names else names[0] if names else ""


def _figure(task: str, models: Sequence[Evaluated]) -> Figure:
    curves: list[Curve] = []
    for place, model in enumerate(models):
        tone = TONES[place % len(TONES)]
        curves.append(_curve(model.name, model.of(task), tone, dashed=False))
        if control := model.of(task, control=True):
            curves.append(_curve(f"{model.name}, answers at random (dashed)", control, tone, dashed=True))
    drawn = [curve for curve in curves if len(curve.points) > 1]
    unit = next(shown(result) for model in models for result in model.of(task))
    chart = line_chart(f"{task}, {unit}", drawn, x_name="examples", digits=3)
    return Figure(task, unit, chart, [(curve.name, curve.tone, plain(curve.last(), 3)) for curve in drawn])


def _curve(name: str, results: Sequence[TaskResult], tone: Tone, *, dashed: bool) -> Curve:
    """The control has no band: it is there to be seen beside one."""
    found = [(result.shots, _estimate(result)) for result in results if shown(result)]
    band = [] if dashed else [(count, estimate.low, estimate.high) for count, estimate in found]
    points = [(count, estimate.value) for count, estimate in found]
    return Curve(name=name, points=points, tone=tone, kind="sparse", band=band, dashed=dashed)


def _estimate(result: TaskResult) -> Estimate:
    return result.evaluation.estimates[shown(result)]


def _sentence(task: str, name: str, results: Sequence[TaskResult]) -> str:
    fewest, most = results[0], results[-1]
    before, after = _estimate(fewest), _estimate(most)
    said = f"{task}, {name}: {shown(most)} is {before.value:.3g} with {plural(fewest.shots, 'example')}"
    said += f" and {after.value:.3g} with {most.shots:,}"
    if before.low <= after.high and after.low <= before.high:
        return f"{said}. The intervals overlap: it cannot be said that this model learns the task from examples."
    return f"{said}, with intervals apart."
