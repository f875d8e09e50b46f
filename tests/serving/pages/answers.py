"""What the tests of answers share."""

from typing import Any

from playwright.sync_api import Locator, Page, expect


def ask(page: Page, text: str = "Say hello") -> Locator:
    """Asks, and waits for the whole answer: its place on the page."""
    before = page.locator("li.assistant").count()
    box = page.get_by_role("textbox", name="Write")
    box.fill(text)
    box.press("Enter")
    expect(page.locator("li.assistant .tools")).to_have_count(before + 1)
    return page.locator("li.assistant").last


def long(model: Any, reply: str) -> None:
    """The model says this whole text, whatever its length."""
    model.reply, model.context = reply, 20_000
    model.sampling = type(model.sampling)(max_tokens=10_000)
