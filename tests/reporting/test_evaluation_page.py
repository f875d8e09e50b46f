"""evaluation.html: tables, curves of examples and heads, in text and in a browser."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from playwright.sync_api import sync_playwright
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from gptwright.evaluation.harness.run import TaskResult
from gptwright.evaluation.intervals import share
from gptwright.evaluation.paired import Evaluated, differences
from gptwright.reporting.comparison import comparison
from gptwright.reporting.evaluation_page import evaluation_page
from gptwright.reporting.heads import head_grid
from gptwright.reporting.shots import scale_figures, shot_figures, shot_sentences
from gptwright.training.evaluation import Evaluation


def result(shots: int, hits: int, count: int = 100) -> TaskResult:
    documents = [{"where": f"line {n}", "choices": [], "targets": [], "scores": {"acc": float(n < hits)}}
                 for n in range(count)]  # fmt: skip
    return TaskResult("<b>copy</b>", shots, Evaluation(estimates={"acc": share(hits, count)}), documents)


def learner(control: bool = True) -> Evaluated:
    real = [result(0, 10), result(4, 60), result(16, 95)]
    return Evaluated("learner", real, [result(4, 20), result(16, 22)] if control else [], torch.eye(3)[:2])


def sleeper() -> Evaluated:
    return Evaluated("sleeper", [result(0, 10), result(4, 12), result(16, 14)])


def test_a_line_a_model_a_band_a_line_and_the_control_dashed() -> None:
    (figure,) = shot_figures([learner(), sleeper()])
    chart = HTMLParser(figure.chart)
    assert len(chart.css("polyline.line")) == 3 and len(chart.css("polyline.dashed")) == 1
    assert len(chart.css("polygon.band")) == 2 and figure.unit == "acc"
    assert [tone for _, tone, _ in figure.legend] == ["a", "a", "b"]
    assert len(chart.css("circle")) == 9  # the control begins where the line does
    assert shot_figures([Evaluated("one", [result(0, 10)])]) == []


def test_the_page_says_who_cannot_learn_from_examples() -> None:
    can, cannot = shot_sentences([learner(), sleeper()])
    assert "0.1 with 0 examples and 0.95 with 16" in can and "apart" in can
    assert "sleeper" in cannot and "it cannot be said" in cannot


def test_scores_are_drawn_against_sizes_and_what_is_known_of_tokens() -> None:
    small, large = replace(sleeper(), parameters=600_000, tokens=1_000_000), replace(learner(), parameters=135_000_000)
    (figure,) = scale_figures([large, small])
    chart = HTMLParser(figure.chart)
    assert figure.title == "<b>copy</b> by parameters" and "135M" in figure.chart and "10M" in figure.chart
    assert len(chart.css("polyline.line")) == len(chart.css("polygon.band")) == 3
    assert [name for name, *_ in figure.legend] == ["0 examples", "4 examples", "16 examples"]
    first = chart.css("circle")[0].attributes
    assert first["cx"] == "0.0", "the smaller one stands left"
    both = [figure.title for figure in scale_figures([replace(large, tokens=5_000_000), small])]
    assert both == ["<b>copy</b> by parameters", "<b>copy</b> by tokens read"]
    page = evaluation_page([large, small], [])
    assert len(HTMLParser(page).css("#scale svg.chart")) == 1 and "not known how many tokens" in page
    assert scale_figures([large, replace(large, name="as large")]) == []
    assert not HTMLParser(evaluation_page([sleeper()], [])).css("#scale")


def test_a_head_is_as_dark_as_its_score() -> None:
    found = head_grid("m", torch.tensor([[0.0, 0.25], [0.5, 0.125]]))
    cells = HTMLParser(found.grid).css("rect")
    assert [cell.attributes["fill-opacity"] for cell in cells] == ["0.000", "0.250", "0.500", "0.125"]
    assert found.best == "head 0 of layer 1, 0.50" and "layer 1, head 0: 0.50" in found.grid


def test_tables_hold_every_model_and_every_pair() -> None:
    models = [learner(), replace(sleeper(), name="z")]
    found = differences(models)
    text = comparison(models, found)
    assert "0.95 (0.8882 to 0.9785)" in text and "learner − z" in text and "apart" in text
    assert "Of 3 such comparisons" in text
    page = evaluation_page(models, found)
    assert "&lt;b&gt;copy" in page and "<b>copy" not in page
    assert len(HTMLParser(page).css("#differences tbody tr")) == 3
    assert not HTMLParser(evaluation_page([sleeper()], [])).css("#differences")


@pytest.mark.browser
def test_the_page_opens_alone_on_a_telephone_too(chromium: str, tmp_path: Path) -> None:
    path, faults = tmp_path / "evaluation.html", list[str]()
    models = [learner(), sleeper()]
    path.write_text(evaluation_page(models, differences(models)), "utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: faults.append(message.text))
        page.on("request", lambda request: faults.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("svg.chart").count() == 1 and page.locator("svg.heads rect").count() == 6
        browser.close()
    assert [fault for fault in faults if not fault.startswith("data:")] == []
