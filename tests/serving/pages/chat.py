"""What the tests of the chat do again and again."""

import re

from playwright.sync_api import Locator, Page, expect


def box(page: Page) -> Locator:
    """Where one writes."""
    return page.get_by_role("textbox", name="Write a message")


def say(page: Page, text: str) -> None:
    """Writes and sends."""
    box(page).fill(text)
    box(page).press("Enter")


def answers(page: Page) -> Locator:
    """Those of the open branch, in whatever state."""
    return page.locator("li.assistant")


def answered(page: Page, count: int = 1) -> Locator:
    """The last answer of the open branch, of which there are `count`, all ended."""
    expect(answers(page).filter(has=page.get_by_role("button", name="Another answer"))).to_have_count(count)
    return answers(page).last


def text_of(answer: Locator) -> Locator:
    """What an answer says."""
    return answer.locator(".text")


def press(scope: Page | Locator, name: str) -> None:
    """The last button of this name."""
    scope.get_by_role("button", name=name, exact=True).last.click()


def kept(page: Page) -> str:
    """The id of the open conversation, which is stored."""
    expect(page).to_have_url(re.compile("#/chat/[0-9a-f]+"))
    return page.url.rsplit("/", 1)[1]
