"""Results as a table for a terminal."""

from collections.abc import Sequence

from gptwright.evaluation.harness.run import TaskResult


def table(results: Sequence[TaskResult]) -> str:
    """A line for each figure of each task, with its 95 % interval and the documents it was counted on, in Markdown."""
    rows = [("task", "shots", "figure", "value", "95 % interval", "documents"), ("---",) * 6]
    for result in results:
        for name, found in result.evaluation.estimates.items():
            interval = f"{found.low:.4g} to {found.high:.4g}" if found.count > 1 else ""
            rows.append((result.task, _shots(result), name, f"{found.value:.4g}", interval, f"{found.count:,}"))
        for name, value in result.evaluation.metrics.items():
            if value:
                rows.append((result.task, _shots(result), name, f"{value:.4g}", "", f"{len(result.documents):,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    cells = [
        [cell.ljust(width, "-" if cell == "---" else " ") for cell, width in zip(row, widths, strict=True)]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _shots(result: TaskResult) -> str:
    return str(result.shots) if result.shots >= 0 else ""
