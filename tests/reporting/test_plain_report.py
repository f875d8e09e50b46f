import json
from pathlib import Path

from gptwright.reporting.collect import collect
from gptwright.reporting.plain_report import plain_report


def test_the_reports_figures_as_plain_json(whole_run: Path) -> None:
    report = json.loads(json.dumps(plain_report(collect(whole_run)), allow_nan=False))
    assert report["run"] == "my run" and ["right answers", "90\u00a0%"] in report["facts"]
    first = report["figures"][0]
    assert (first["title"], [curve["name"] for curve in first["curves"]]) == ("Pretraining", ["training", "held out"])
    assert all(first["ys"][0] < tick < first["ys"][1] for tick in first["ticks"])
    assert [table["title"] for table in report["tables"]][:2] == ["Supervised fine-tuning", "Reward model"]
    assert report["tables"][0]["rows"][0]["cells"][-1]["text"] == "90.0\u00a0%"
