"""The pages in a real browser, and what must not happen on any of them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gptwright.store.database import Store, open_store

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    """One that waits for others who write, as that of a server does."""
    with open_store(store_path) as opened:
        yield opened


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
        page.set_default_timeout(20_000)
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


class Cable:
    """What lies between a browser and a server: it can be cut, mended, and plugged into another server."""

    def __init__(self, address: str) -> None:
        self.plug(address)
        self.whole = True
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def plug(self, address: str) -> None:
        """Where new connections lead."""
        self._port = int(address.rsplit(":", 1)[1])

    def cut(self) -> None:
        """Every connection ends, and none is made until `whole` again."""
        self.whole = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for end in (*self._ends, self._door):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                if not self.whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cable(address: str) -> Iterator[Cable]:
    """A cable to the server of `address`."""
    made = Cable(address)
    yield made
    made.close()
