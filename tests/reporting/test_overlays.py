from collections.abc import Callable
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from gptwright.reporting.collect import collect
from gptwright.reporting.overlays import overlays


def test_a_chart_a_measurement_and_in_it_a_line_a_run(whole_run: Path, other_run: Path) -> None:
    found = overlays(["a", "b"], [collect(whole_run), collect(other_run)])
    assert [figure.title for figure in found] == [
        "Pretraining, held out",
        "Pretraining, training",
        "Supervised fine-tuning",
        "Reward model",
        "Policy: score",
        "Policy: distance",
        "Policy: length",
    ]
    assert found[0].legend == [("a", "a", "1.600"), ("b", "b", "1.600")]
    assert all(len(HTMLParser(figure.chart).css("polyline.line")) == 2 for figure in found)


@pytest.mark.parametrize("verb", ["codex", "finetune", "clip", "vision"])
def test_stages_beside_the_story_are_drawn_too(tmp_path: Path, stage_writer: Callable[..., Path], verb: str) -> None:
    """And of a run that lacks the stage there is no line."""
    stage_writer(tmp_path / "a" / f"01-{verb}", verb, history=[{"step": n, "loss_nats": 1 / n} for n in (1, 2, 3)])
    stage_writer(tmp_path / "b" / "01-prepare", "prepare")
    (figure,) = overlays(["a", "b"], [collect(tmp_path / "a"), collect(tmp_path / "b")])
    assert [name for name, *_ in figure.legend] == ["a"]


def test_beyond_five_lines_are_dashed(whole_run: Path) -> None:
    figure = overlays([f"run {n}" for n in range(7)], [collect(whole_run)] * 7)[0]
    assert len(HTMLParser(figure.chart).css("polyline.dashed")) == 2
    assert [(name, tone) for name, tone, _ in figure.legend][4:] == [
        ("run 4", "e"), ("run 5 (dashed)", "a"), ("run 6 (dashed)", "b")]  # fmt: skip
