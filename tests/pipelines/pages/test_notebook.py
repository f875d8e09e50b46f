"""`see` in Jupyter: a kernel carries out a notebook whose last line is the page, and Chromium opens what is left."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Error, expect

from gptwright.interpretability.page import FRAME_HEIGHT
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.export import export
from gptwright.tokenizers.tokenizer import Tokenizer

pytestmark = pytest.mark.browser
CELLS = ("import gptwright", "model = gptwright.load('tiny')", "gptwright.see(model, 'the <b>cat</b> sat')")


@pytest.fixture
def notebook(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Any:
    """Carried out in a folder with the model."""
    export(network, tokenizer, tmp_path / "tiny")
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    made = nbformat.v4.new_notebook(cells=cells)
    return NotebookClient(made, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()


def test_the_page_is_shown_in_a_frame_that_reaches_nobody(notebook: Any, browser: Browser, tmp_path: Path) -> None:
    (shown,) = notebook.cells[-1].outputs
    assert shown.output_type == "execute_result" and "text/html" in shown.data
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><title>notebook</title>{body}", encoding="utf-8")
    faults: list[str] = []
    page = browser.new_page(locale="en-GB")
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(file.as_uri()) else faults.append(request.url))
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("tiny")
    expect(frame.get_by_role("heading", name="Attention", exact=True)).to_be_visible()
    frame.get_by_role("button", name="Layer 2, head 1", exact=True).click()
    expect(frame.locator("figcaption").first).to_have_text("Layer 2, head 1")
    drawn = frame.locator("canvas.matrix").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    )
    assert drawn and page.locator("iframe").evaluate("frame => frame.clientHeight") == FRAME_HEIGHT
    frame.get_by_role("button", name="中文").click()
    frame.get_by_role("button", name="浅色或深色").click()
    with pytest.raises(Error, match=r"SecurityError|Blocked a frame"):
        frame.locator("h1").evaluate("() => parent.document.title")
    page.close()
    assert [fault for fault in faults if not fault.startswith(("data:", "about:"))] == []
