"""What examples in the context do: each task's score against their number, a line a model (GPT-3, figure 1.2), and
against the models' sizes and the tokens that they read, a line a number of examples (figures 1.3 and 3.1)."""

from collections.abc import Callable, Sequence

from gptwright.evaluation.harness.run import TaskResult
from gptwright.evaluation.paired import Evaluated
from gptwright.reporting.charts import Curve, Tone, line_chart
from gptwright.reporting.curves import TONES, Figure
from gptwright.reporting.wording import amount, plain, plural
from gptwright.training.evaluation import Estimate


def shot_figures(models: Sequence[Evaluated]) -> list[Figure]:
    """A chart for each task on which a model was asked with several numbers of examples."""
    return [figure for task in tasks_of(models) if (figure := _figure(task, models)).chart]


def scale_figures(models: Sequence[Evaluated]) -> list[Figure]:
    """Charts for each task of several models: its score against their parameters, and against the tokens that those
    read of which it is known."""
    sizes: dict[str, Callable[[Evaluated], int | None]] = {
        "parameters": lambda model: model.parameters,
        "tokens read": lambda model: model.tokens,
    }
    found = [_scale_figure(task, models, name, size) for name, size in sizes.items() for task in tasks_of(models)]
    return [figure for figure in found if figure.chart]


def scale_sentences(models: Sequence[Evaluated]) -> list[str]:
    """How large each model is, and how many tokens it has read."""
    return [
        f"{model.name}: {amount(model.parameters)} parameters, "
        + (f"{amount(model.tokens)} tokens read" if model.tokens else "it is not known how many tokens it has read")
        for model in models
    ]


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
    unit = next(shown(result) for model in models for result in model.of(task))
    return _drawn(task, unit, curves, "examples")


def _scale_figure(
    task: str, models: Sequence[Evaluated], x_name: str, size: Callable[[Evaluated], int | None]
) -> Figure:
    """A line for each number of examples, through the models in the order of their sizes."""
    lines: dict[int, list[tuple[float, Estimate]]] = {}
    for model in models:
        for result in model.of(task):
            if (at := size(model)) and shown(result):
                lines.setdefault(result.shots, []).append((at, _estimate(result)))
    curves = [
        _line(plural(shots, "example"), sorted(found, key=lambda point: point[0]), TONES[place % len(TONES)])
        for place, (shots, found) in enumerate(sorted(lines.items()))
        if len({at for at, _ in found}) > 1
    ]
    unit = next(shown(result) for model in models for result in model.of(task))
    return _drawn(f"{task} by {x_name}", unit, curves, x_name, logarithmic=True)


def _drawn(title: str, unit: str, curves: Sequence[Curve], x_name: str, *, logarithmic: bool = False) -> Figure:
    drawn = [curve for curve in curves if len(curve.points) > 1]
    chart = line_chart(f"{title}, {unit}", drawn, x_name=x_name, digits=3, logarithmic=logarithmic)
    return Figure(title, unit, chart, [(curve.name, curve.tone, plain(curve.last(), 3)) for curve in drawn])


def _curve(name: str, results: Sequence[TaskResult], tone: Tone, *, dashed: bool) -> Curve:
    """The control has no band: it is there to be seen beside one."""
    return _line(name, [(result.shots, _estimate(result)) for result in results if shown(result)], tone, dashed=dashed)


def _line(name: str, found: Sequence[tuple[float, Estimate]], tone: Tone, *, dashed: bool = False) -> Curve:
    band = [] if dashed else [(at, estimate.low, estimate.high) for at, estimate in found]
    points = [(at, estimate.value) for at, estimate in found]
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
