import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import collect
from gptwright.reporting.page import page as report_page
from gptwright.reporting.runs_page import comparison_page, index_page
from printed import wrong_on_paper


def compared(*paths: Path, page: Path) -> str:
    reports = {path: path / "report.html" for path in paths}
    return comparison_page([collect(path) for path in paths], reports, page)


def listed(folder: Path, *paths: Path, page: Path) -> str:
    runs = [(run, check(run)) for run in map(collect, paths)]
    return index_page(folder, runs, {"<b>": "needed <i>"}, {path: path / "report.html" for path in paths}, page)


def test_the_sections_stand_in_order_and_every_run_is_a_column(whole_run: Path, other_run: Path) -> None:
    tree = HTMLParser(compared(whole_run, other_run, page=whole_run.parent / "comparison.html"))
    assert [section.attributes["id"] for section in tree.css("section")] == [
        "glance", "options", "curves", "results", "samples", "lineage", "cost"]  # fmt: skip
    assert tree.css_first("h1").text() == "my run, other"
    assert {len(table.css("thead th")) for table in tree.css("table.measured")} == {3}
    assert [a.attributes["href"] for a in tree.css("#glance a")] == ["my%20run/report.html", "other/report.html"]


def test_links_lead_from_where_the_page_lies(whole_run: Path, other_run: Path) -> None:
    away = whole_run.parent / "pages/here/comparison.html"
    (link, *_) = HTMLParser(compared(whole_run, other_run, page=away)).css("#glance a")
    assert link.attributes["href"] == "../../my%20run/report.html"


def test_equal_runs_have_no_difference_in_words(whole_run: Path) -> None:
    copy = Path(shutil.copytree(whole_run, whole_run.parent / "copy"))
    tree = HTMLParser(compared(whole_run, copy, page=whole_run.parent / "comparison.html"))
    assert "are equal" in tree.css_first("#glance").text()
    assert "every option of every stage is the same" in tree.css_first("#options").text()


def test_text_of_models_and_names_of_folders_are_text(whole_run: Path, other_run: Path) -> None:
    bad = other_run.rename(other_run.parent / "<script>1<")
    page = whole_run.parent / "comparison.html"
    for html in (compared(whole_run, bad, page=page), listed(page.parent, whole_run, bad, page=page)):
        assert "<script" not in html and "<img" not in html and "<i>" not in html
        assert "&lt;script&gt;1" in html


def test_the_list_has_the_newest_first_and_says_why_one_is_missing(whole_run: Path, other_run: Path) -> None:
    for path in other_run.glob("*/stage.json"):
        path.write_text(path.read_text().replace("2030-", "2031-"))
    (other_run / "08-ppo/stage.json").unlink()
    tree = HTMLParser(listed(whole_run.parent, whole_run, other_run, page=whole_run.parent / "index.html"))
    rows = [[cell.text(strip=True) for cell in row.css("th, td")] for row in tree.css("#runs tbody tr")]
    assert [row[0].startswith(name) for row, name in zip(rows, ("other", "my run"), strict=True)] == [True, True]
    assert rows[0][2] == "ppo not begun" and rows[1][2] == "finished"
    assert "needed <i>" in tree.css_first("#refused").text()
    command = tree.css_first("#next code").text()
    assert command == f"gptwright report {other_run} '{whole_run}'"


@pytest.mark.browser
def test_the_pages_open_alone_on_a_telephone_and_on_paper(
    chromium: str, whole_run: Path, other_run: Path, tmp_path: Path
) -> None:
    faults: list[str] = []
    paths = {name: tmp_path / f"{name}.html" for name in ("comparison", "index", "report")}
    paths["comparison"].write_text(compared(whole_run, other_run, page=paths["comparison"]), "utf-8")
    paths["index"].write_text(listed(tmp_path, whole_run, other_run, page=paths["index"]), "utf-8")
    paths["report"].write_text(report_page(collect(whole_run), check(collect(whole_run))), "utf-8")
    own = {path.as_uri() for path in paths.values()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.on("console", lambda message: faults.append(message.text))
        page.on("request", lambda request: faults.append(request.url) if request.url not in own else None)
        for path in paths.values():
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for path in paths.values():
            page.goto(path.as_uri())
            assert wrong_on_paper(page) == []
        browser.close()
    assert [fault for fault in faults if not fault.startswith("data:")] == []
