"""What a run's report says, as plain numbers and texts, for pages that draw by themselves."""

from typing import Any

from gptwright.reporting.charts import plain_chart
from gptwright.reporting.collect import Run
from gptwright.reporting.curves import figures
from gptwright.reporting.page import facts, headline, machine
from gptwright.reporting.siblings import at_equal_time
from gptwright.reporting.tables import before_and_after


def plain_report(run: Run) -> dict[str, Any]:
    """Facts, curves, tables with intervals, and the same question after every stage."""
    beside = at_equal_time(run)
    tables = before_and_after(run) + ([beside] if beside else [])
    return {
        "run": run.path.resolve().name,
        "headline": headline(run),
        "machine": machine(run),
        "facts": facts(run),
        "figures": [
            {"title": figure.title, "unit": figure.unit, "xName": figure.x_name, "digits": figure.digits}
            | plain_chart(figure.curves)
            for figure in figures(run)
        ],
        "tables": [
            {
                "title": table.title,
                "note": table.note,
                "columns": table.columns,
                "rows": [
                    {"name": row.name, "note": row.note,
                     "cells": [{"text": cell.text, "interval": cell.interval} for cell in row.cells]}
                    for row in table.rows
                ],
            }
            for table in tables
        ],
        "asked": [{name: str(said.get(name, "")) for name in ("stage", "question", "answer")} for said in run.asked],
    }  # fmt: skip
