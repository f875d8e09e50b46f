"""evaluation.html: what models scored on tasks, side by side, in one file with its style inside and no script."""

from collections.abc import Sequence

from gptwright.evaluation.paired import Difference, Evaluated
from gptwright.foundations.version import __version__
from gptwright.reporting.charts import interval_bar
from gptwright.reporting.comparison import MEANING, caution, interval, side_by_side, tested
from gptwright.reporting.heads import head_grid
from gptwright.reporting.page import environment
from gptwright.reporting.shots import scale_figures, scale_sentences, shot_figures, shot_sentences, tasks_of
from gptwright.reporting.tables import Cell, Row
from gptwright.reporting.wording import MISSING, plural
from gptwright.training.evaluation import Estimate

SHARES = ("acc", "exact_match", "em", "centered")


def evaluation_page(models: Sequence[Evaluated], found: Sequence[Difference]) -> str:
    """The whole page. Every text is escaped: a task's name can be anything."""
    return environment().get_template("evaluation.html.j2").render(
        name=", ".join(model.name for model in models),
        headline=f"{plural(len(models), 'model')} on {plural(len(tasks_of(models)), 'task')}",
        version=__version__,
        columns=[model.name for model in models],
        rows=_rows(models),
        figures=shot_figures(models),
        sentences=shot_sentences(models),
        scale=scale_figures(models),
        sizes=scale_sentences(models),
        heads=[head_grid(model.name, model.induction) for model in models if model.induction is not None],
        differences=[(each, tested(each)) for each in found],
        meaning=MEANING,
        caution=caution(found),
    )  # fmt: skip


def _rows(models: Sequence[Evaluated]) -> list[Row]:
    return [
        Row(task, f"{figure}, {shots}-shot" if shots else figure, [_cell(figure, found) for found in estimates])
        for (task, shots, figure), estimates in side_by_side(models)
    ]


def _cell(figure: str, estimate: Estimate | None) -> Cell:
    if estimate is None:
        return Cell(MISSING)
    words = f"{interval(estimate)}, {plural(estimate.count, 'document')}"
    return Cell(f"{estimate.value:.4g}", words, interval_bar(estimate) if figure.startswith(SHARES) else "")
