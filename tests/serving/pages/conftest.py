"""The pages in a real browser, and what must not happen on any of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


expect.set_options(timeout=20_000)  # a busy machine is no fault of the page


class Visit:
    """A page, opened at `path`, and its faults: errors, warnings, dialogs, requests to another host. Options go to
    Playwright's context (`viewport`, `locale`, `color_scheme`)."""

    def __init__(self, browser: Browser, address: str, path: str = "/", **options: Any) -> None:
        self.context = browser.new_context(**({"locale": "en-GB"} | options))
        self.address = address
        self.faults: list[str] = []
        self.context.on("request", lambda r: self._inside(r.url))
        self.page: Page = self.another(path)

    def another(self, path: str = "/") -> Page:
        """One more tab of the same visitor."""
        page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog {dialog.message}"))
        page.goto(self.address + path)
        return page

    def _inside(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "blob:")):
            self.faults.append(f"request to {url}")

    def expected(self, part: str) -> None:
        """There were faults that say this, and they belong to what was tried."""
        rest = [fault for fault in self.faults if part not in fault]
        assert len(rest) < len(self.faults), f"no fault says {part!r}: {self.faults}"
        self.faults[:] = rest

    def close(self) -> None:
        """Ends the visit, which must have been without faults."""
        self.context.close()
        assert self.faults == []


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """The chat of a person for whom it is ready. Another room: `visit.page.goto(visit.address + "/#/label")`."""
    made = Visit(browser, address)
    expect(made.page.locator("nav a").first).to_be_visible()
    yield made
    made.close()
