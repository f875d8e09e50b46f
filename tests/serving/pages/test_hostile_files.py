"""Hostile texts in pages that are files: the shared conversation and the page that labels without a server; and in
guidelines and tasks, there and on the server's own page."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.conftest import Visit
from tests.serving.pages.test_chat import until
from tests.serving.pages.test_hostile_text import HARM, SHORT, conversation, opened, unharmed, variations

from gptwright.store.database import Store
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.tasks import add_task

pytestmark = pytest.mark.browser
TASKS = 12


class File:
    """A page from a disk, what it asks for, and what it says of errors."""

    def __init__(self, browser: Browser, path: Path) -> None:
        self.context = browser.new_context(locale="en-GB")
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.route("http://**", lambda route: route.abort())
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.goto(f"file://{path}")

    def harm(self) -> list[str]:
        """What is on it that nobody put there but a text; its own scripts stand in it."""
        found = self.page.evaluate(HARM)
        own = self.page.locator("head ~ body > script").count()
        return [*[one for one in found if one != "script"], *["script"] * (found.count("script") - own)]

    def close(self) -> None:
        self.context.close()
        assert [url for url in self.asked if not url.startswith(("file:", "blob:"))] == [] and self.faults == []


@pytest.mark.parametrize("part", range(3))
def test_in_a_shared_conversation(visit: Visit, store: Store, browser: Browser, tmp_path: Path, part: int) -> None:
    opened(visit, *conversation(store, variations()[part::3], title=SHORT[part]))
    page = visit.page
    page.get_by_role("button", name="Share or export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Page to read").click()
    download.value.save_as(tmp_path / "shared.html")
    shared = File(browser, tmp_path / "shared.html")
    expect(shared.page.locator("article").last).to_be_attached()
    assert shared.page.locator("script, img, link, iframe, object, embed, base, form").count() == 0
    assert shared.harm() == [] and len(shared.asked) == 1
    shared.close()


def tasks(store: Store) -> None:
    """Tasks whose conversations, answers and guidelines are hostile."""
    texts = [*variations(), *SHORT]
    size = -(-len(texts) // TASKS)
    for at in range(TASKS):
        some = texts[at * size : (at + 1) * size]
        with store.write() as session:
            talk = add_conversation(session, title=some[0][:200])
            last = None
            for text in some[: size // 2]:
                last = add_message(session, talk.id, last, "user", text).id
            answers = [add_message(session, talk.id, last, "assistant", text, model=SHORT[at]).id for text in some[-4:]]
            about = last if at % 2 else answers[0]
            assert about
            add_task(
                session, "ranking" if at % 2 else "rating", about, fields={"guidelines": "\n\n".join(some[size // 2 :])}
            )


def walk(page: Page, check: Any) -> int:
    """Looks at every task, and leaves it with a reason that is hostile too; how many there were."""
    seen, shown = 0, page.locator(".message").first
    expect(shown).to_be_visible()
    while shown.is_visible():
        seen += 1
        said = shown.inner_text()
        check()
        page.locator("h2").press("s")
        page.get_by_label("Why?").fill(SHORT[seen].replace("\n", " "))
        page.keyboard.press("Enter")
        until(page, lambda before=said: shown.all_inner_texts() != [before])
    return seen


def test_in_guidelines_and_tasks(visit: Visit, store: Store) -> None:
    tasks(store)
    visit.page.goto(visit.address + "/#/label")
    assert walk(visit.page, lambda: unharmed(visit)) == TASKS


def test_in_the_page_that_labels_without_a_server(
    visit: Visit, store: Store, browser: Browser, tmp_path: Path, model: FakeModel
) -> None:
    tasks(store)
    got = visit.page.request.post(visit.address + "/api/tasks/offline", data={"tasks": TASKS})
    assert got.ok
    (tmp_path / "label.html").write_bytes(got.body())
    away = File(browser, tmp_path / "label.html")

    def check() -> None:
        assert away.harm() == []

    assert walk(away.page, check) == TASKS
    with away.page.expect_download() as download:
        away.page.get_by_role("button", name="Download what you said").click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == TASKS
    away.close()
