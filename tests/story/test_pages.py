"""The loop as a person goes through it, in Chromium on a real model: chat, rank, improve, and the better model answers.

`make pictures` keeps what is seen at each step in docs/images.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from .test_story import command, gptwright, recipe  # noqa: F401 (a fixture)

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("PICTURES")
PATIENCE = 120_000  # milliseconds
QUESTIONS = [f"{asked} the {what}?" for asked in ("Who saw", "What of", "Where is", "Why")
             for what in ("miller", "river", "cat", "boat", "rain")]  # fmt: skip


@pytest.fixture
def run(recipe: Path) -> Path:  # noqa: F811
    """The story as far as sft, and what the page offers."""
    only = recipe.with_name("taught.toml")
    only.write_text(recipe.read_text().partition("[rank]")[0])
    done = gptwright("run", only, "--out", recipe.parent / "taught")
    assert done.returncode == 0, done.stderr
    lines = "".join(json.dumps({"prompt": text}) + "\n" for text in QUESTIONS[:4])
    (recipe.parent / "taught/examples.jsonl").write_text(lines)
    return recipe.parent / "taught"


@pytest.fixture
def served(run: Path) -> Iterator[str]:
    words = command("serve", run, "--port", "0")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def page(chromium: str, served: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": 1100, "height": 720}, locale="en-GB")
        opened.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        opened.goto(served)
        yield opened
        browser.close()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def shorter(page: Page) -> str:
    """The key of the shorter answer: the taste that this person has."""
    one, other = page.locator(".pair .text").all_inner_texts()
    return "ArrowLeft" if len(one) <= len(other) else "ArrowRight"


def test_from_opening_the_page_to_a_better_model(page: Page, run: Path) -> None:
    picture(page, "pages-1-welcome")
    box = page.get_by_role("textbox", name="Write a message")
    box.fill("Who walked?")
    box.press("Enter")
    expect(page.locator("li.assistant .tools")).to_be_visible()
    picture(page, "pages-2-chat")

    page.get_by_role("link", name="Teach").click()
    page.get_by_label("My own").check()
    page.get_by_label("One question a line").fill("\n".join(QUESTIONS))
    page.get_by_role("button", name="Rank 20 answers").click()
    for number in range(20):
        expect(page.get_by_role("main").get_by_text(f"{number} of 20 ranked")).to_be_visible()
        expect(page.get_by_role("button", name="A is better")).to_be_enabled()
        if number == 7:
            picture(page, "pages-3-rank")
        page.keyboard.press(shorter(page))
    page.get_by_role("button", name="Go on").click()

    page.get_by_label("How long it may take").select_option("1 min")
    page.get_by_role("button", name="Improve", exact=True).click()
    expect(page.get_by_role("main").get_by_role("status")).to_be_visible()
    picture(page, "pages-4-improve")
    expect(page.get_by_role("heading", name="It became better. improve-1 answers from now on.")).to_be_visible()
    page.get_by_role("button", name="Show which is which").click()
    picture(page, "pages-5-before-and-after")

    page.get_by_role("link", name="Chat").click()
    page.get_by_role("button", name="New chat").click()
    box.fill("Who walked?")
    box.press("Enter")
    expect(page.locator("li.assistant h3")).to_have_text("improve-1")
    expect(page.locator("li.assistant .tools")).to_be_visible()
    picture(page, "pages-6-better")
    promoted = json.loads((run / "promoted.json").read_text())["promoted"]
    assert [entry["model"] for entry in promoted] == ["improve-1"]
