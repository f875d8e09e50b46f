"""The frame around every page."""

import pytest
from playwright.sync_api import Browser, expect
from tests.serving.pages.conftest import Visit

pytestmark = pytest.mark.browser


def test_an_owner_finds_every_room(visit: Visit) -> None:
    expect(visit.page.locator("nav a")).to_have_text(["Chat", "Teach", "Label"])


def test_it_speaks_the_language_of_the_browser_and_the_one_that_is_chosen(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, locale="zh-CN")
    expect(visit.page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(visit.page.locator("nav a").first).to_have_text("对话")
    visit.page.get_by_role("button", name="English").click()
    expect(visit.page.locator("nav a").first).to_have_text("Chat")
    visit.page.reload()
    expect(visit.page.locator("html")).to_have_attribute("lang", "en")
    visit.close()


def test_light_or_dark_is_chosen_and_kept(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = visit.page.evaluate(ground)
    visit.page.get_by_role("button", name="Light or dark").click()
    dark = visit.page.evaluate(ground)
    assert dark != light
    visit.page.reload()
    expect(visit.page.locator("nav a").first).to_be_visible()
    assert visit.page.evaluate(ground) == dark
    visit.close()
