"""What the tests of answers share."""

from typing import Any

from playwright.sync_api import Locator, Page, Request, expect


def ask(page: Page, text: str = "Say hello") -> Locator:
    """Asks, and waits for the whole answer: its place on the page."""
    before = page.locator("li.assistant").count()
    box = page.get_by_role("textbox", name="Write")
    box.fill(text)
    box.press("Enter")
    expect(page.locator("li.assistant .tools")).to_have_count(before + 1)
    return page.locator("li.assistant").last


class Traffic:
    """What a page asks of its server from now on."""

    def __init__(self, page: Page) -> None:
        self.page, self.open = page, set[Request]()
        page.on("request", lambda one: self.open.add(one))
        page.on("requestfinished", lambda one: self.open.discard(one))
        page.on("requestfailed", lambda one: self.open.discard(one))

    def rest(self) -> None:
        """Waits until nothing is asked, and what was answered has led to nothing more."""
        quiet = 0
        while quiet < 3:
            self.page.wait_for_timeout(20)
            quiet = 0 if self.open else quiet + 1


def long(model: Any, reply: str) -> None:
    """The model says this whole text, whatever its length."""
    model.reply, model.context = reply, 20_000
    model.sampling = type(model.sampling)(max_tokens=10_000)
