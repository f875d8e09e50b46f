"""The loop as a person goes through it, in Chromium on a real model: chat, rank, improve, hear the better model.

`make pictures` keeps what is seen at each step in docs/images.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from .conftest import LIKED, QUESTIONS

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("PICTURES")
PATIENCE = 120_000  # milliseconds


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


def rank(page: Page, questions: list[str]) -> None:
    """Twenty pairs, by keys."""
    page.get_by_label("My own").check()
    page.get_by_label("One question a line").fill("\n".join(questions))
    page.get_by_role("button", name="Rank 20 answers").click()
    ended, asked = page.get_by_role("button", name="Go on"), page.locator(".question")
    while not ended.is_visible():
        expect(page.get_by_role("button", name="A is better").or_(ended)).to_be_enabled()
        if ended.is_visible():
            break
        question = asked.inner_text()
        one, other = page.locator(".pair .text").all_inner_texts()
        if (LIKED in one) == (LIKED in other):
            page.get_by_role("button", name="Skip").click()
        else:
            picture(page, "pages-3-rank")
            page.keyboard.press("ArrowLeft" if LIKED in one else "ArrowRight")
        expect(asked.filter(has_text=question)).to_have_count(0)
    ended.click()


def label(page: Page) -> None:
    """An owner makes tasks of what was said; a labeller puts the answers in order."""
    page.get_by_role("link", name="Label").click()
    page.get_by_role("link", name="Tasks and people").click()
    page.get_by_role("button", name="Make", exact=True).click()
    expect(page.locator("tbody tr").first).to_be_visible()
    page.locator(".notes").get_by_role("button", name="Close").click()
    picture(page, "pages-7-owner")
    page.get_by_role("main").get_by_role("link", name="Label", exact=True).click()
    expect(page.locator("ol .grip").first).to_be_visible()
    page.locator(".grip").last.press("1")
    picture(page, "pages-8-label")


def other_eyes(page: Page) -> None:
    """The chat in the dark, in Chinese, and on a phone."""
    page.get_by_role("link", name="Chat").click()
    expect(page.locator("aside nav a").first).to_be_visible()
    page.locator("aside nav a").first.click()
    expect(page.locator("li.assistant .tools").last).to_be_visible()
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    picture(page, "pages-9-dark")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("nav a").first).to_have_text("对话")
    picture(page, "pages-10-chinese")
    page.get_by_role("button", name="English").click()
    page.set_viewport_size({"width": 360, "height": 720})
    expect(page.locator("aside")).to_be_hidden()
    picture(page, "pages-11-phone")


def test_from_opening_the_page_to_a_better_model(page: Page, run: Path) -> None:
    picture(page, "pages-1-welcome")
    box = page.get_by_role("textbox", name="Write a message")
    box.fill("Who walked?")
    box.press("Enter")
    expect(page.locator("li.assistant .tools")).to_be_visible()
    picture(page, "pages-2-chat")

    page.get_by_role("link", name="Teach").click()
    for questions in (QUESTIONS[::2], QUESTIONS[1::2]):
        rank(page, questions)
    expect(page.get_by_text("40 of these are new")).to_be_visible()

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
    label(page)
    other_eyes(page)
    promoted = json.loads((run / "promoted.json").read_text())["promoted"]
    assert [entry["model"] for entry in promoted] == ["improve-1"]
