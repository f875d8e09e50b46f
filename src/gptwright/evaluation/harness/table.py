"""Results as tables for a terminal, in Markdown."""

from collections.abc import Sequence

from gptwright.evaluation.harness.run import TaskResult

Rows = Sequence[Sequence[str]]


def table(results: Sequence[TaskResult]) -> str:
    """A line for each figure of each task, with its 95 % interval and the documents it was counted on."""
    rows = [("task", "shots", "figure", "value", "95 % interval", "documents")]
    for result in results:
        for name, found in result.evaluation.estimates.items():
            interval = f"{found.low:.4g} to {found.high:.4g}" if found.count > 1 else ""
            rows.append((result.task, shots(result), name, f"{found.value:.4g}", interval, f"{found.count:,}"))
        for name, value in result.evaluation.metrics.items():
            if value:
                rows.append((result.task, shots(result), name, f"{value:.4g}", "", f"{len(result.documents):,}"))
    return markdown(rows)


def markdown(rows: Rows) -> str:
    """Aligned columns; the first row is the heading."""
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    widths = [max(len(row[column]) for row in ruled) for column in range(len(rows[0]))]
    cells = [
        [cell.ljust(width, "-" if cell == "---" else " ") for cell, width in zip(row, widths, strict=True)]
        for row in ruled
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def shots(result: TaskResult) -> str:
    """How many examples; nothing for a mean over tasks."""
    return str(result.shots) if result.shots >= 0 else ""
