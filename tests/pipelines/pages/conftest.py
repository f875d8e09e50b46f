"""What the tests of a run's page share: a browser, and a page opened from the disk that asks nobody for anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from gptwright.foundations.atomic_io import write_text
from gptwright.pipelines.load import AnyModel
from gptwright.pipelines.run_page import Extras, run_page

GREEDY = {"temperature": 0, "topK": 0, "topP": 1, "minP": 0, "repetitionPenalty": 1, "bias": {}}
ANSWERS = """async ([prompts, most, sampling]) => {
  const answers = [];
  for (const prompt of prompts) {
    const ids = [...prompt];
    while (ids.length < prompt.length + most) {
      const { id } = await run.engine.call("next", ids, sampling);
      ids.push(id);
      if (run.tokenizer.stops.has(id)) break;
    }
    answers.push(ids.slice(prompt.length));
  }
  return answers;
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@contextmanager
def opened(browser: Browser, model: AnyModel, file: Path, *, report: Any = None, prompts: tuple[str, ...] = (),
           name: str = "mine", **options: Any) -> Iterator[Page]:  # fmt: skip
    """The page of a model, opened. Whatever goes wrong in it, or is asked of another, fails the test."""
    faults: list[str] = []
    write_text(file, run_page(model, Extras(name=name, report=report, prompts=prompts)))
    context = browser.new_context(**{"locale": "en-GB"} | options)
    page = context.new_page()
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
    allowed = (file.as_uri(), "blob:")
    context.on("request", lambda request: None if request.url.startswith(allowed) else faults.append(request.url))
    page.goto(file.as_uri())
    page.evaluate("run.engine.opened")
    yield page
    context.close()
    assert faults == []
