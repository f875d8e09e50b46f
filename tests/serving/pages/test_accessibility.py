"""Every page in both languages, light and dark, on a phone and on a desk: for screen readers, fingers and eyes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel, running
from tests.serving.pages.conftest import Visit

from choice import AXE
from gptwright.serving.api import create_app
from gptwright.serving.routes.jobs import Improving, InUse
from gptwright.store.database import Store
from gptwright.store.jobs import add_job, end_job, take_job
from gptwright.store.labels import annotate
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.tasks import add_task

pytestmark = [pytest.mark.browser, pytest.mark.axe]

MARKDOWN = """# Cats

Cats are **small** animals, and `purr()` is a *sound*. [More](https://example.org/cats)

| a | b |
|---|---|
| 1 | 2 |

```python
print("cat")  # a comment
```

> said, with $x^2$

1. one
2. two"""
MEASURES = {"light": ("rules", "small", "faint"), "dark": ("colours", "faint")}
"""colours alone are others in the dark"""
WAYS = [(locale, width) for locale in ("en-GB", "zh-CN") for width in (360, 1280)]


@pytest.fixture
def filled(store: Store) -> str:
    """A store in which every page has something to show; the id of a conversation."""
    with store.write() as session:
        talk = add_conversation(session, title="Cats")
        add_conversation(session, title="البحر")
        system = add_message(session, talk.id, None, "system", "Be brief.")
        asked = add_message(session, talk.id, system.id, "user", "What is a cat?\n\nPlease.")
        for text in ("An animal.", MARKDOWN):
            answer = add_message(session, talk.id, asked.id, "assistant", text, model="tiny",
                                 generation={"finish": "length", "seconds": {"first": 0.1, "all": 1.0}})  # fmt: skip
        annotate(session, "thumb", answer.id, "up")
        talk.leaf = answer.id
        samples = [
            {"messages": [{"role": "user", "content": f"Q{i}?"}], "answers": ["a", "b"], "new": 1} for i in (1, 2)
        ]
        outcome = {
            "folder": "improve-1", "before": "tiny", "promoted": True, "measure": "wins", "share": 0.8, "low": 0.6,
            "high": 0.9, "count": 40, "against": ["chance"], "samples": samples, "right": [0.5, 0.6],
        }  # fmt: skip
        for state, result in (
            ("done", {"outcome": outcome, "model": "improve-1"}),
            ("failed", {"error": "The server stopped."}),
        ):
            add_job(session, "improve", {})
            job = take_job(session, ["improve"])
            assert job
            end_job(session, job.id, state, result)
        add_task(session, "ranking", asked.id, fields={"guidelines": "# What is good\n\nShort answers."})
        return talk.id


@pytest.fixture
def model() -> FakeModel:
    return FakeModel(max_requests=8, sees=True, edits=True, inserts=True)


@pytest.fixture
def app(model: FakeModel, store: Store, filled: str) -> Any:
    now: Any = FakeModel
    run: Any = {"command": lambda asked: ["false"], "in_use": lambda: InUse("tiny", now, {"weights": "abc"})}
    improving = Improving(**run, least=20, outcome=lambda lines: {}, prompts=lambda: ("Why?",), may_undo=lambda: True)
    return create_app({"tiny": model}, store, examples=("What is a cat?",), improving=improving)  # pyright: ignore[reportArgumentType]


def states(page: Page, address: str, id: str) -> Iterator[str]:
    """The pages, and what opens on them, one after another."""

    def to(path: str) -> None:
        page.goto(f"{address}/#/{path}")

    to("chat")
    expect(page.get_by_role("textbox").first).to_be_visible()
    yield "welcome"
    page.get_by_role("button", name=re.compile("^(Settings|设置)$")).click()
    expect(page.locator("dialog")).to_be_visible()
    yield "settings"
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.get_by_role("textbox").first.blur()
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    yield "keys"
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^(Insert and edit code|插入和修改代码)$")).click()
    page.locator("dialog .ways button").last.click()
    expect(page.locator("dialog textarea")).to_have_count(2)
    yield "code"
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    to(f"chat/{id}")
    expect(page.locator("li.assistant")).to_be_visible()
    yield "conversation"
    to("improve")
    expect(page.locator("article")).to_be_visible()
    page.locator("article .quiet").click()
    yield "teach, with what came of it"
    page.reload()
    page.locator("form .main").first.click()
    expect(page.locator("main header progress")).to_be_visible()
    yield "teach, ranking"
    to("label")
    expect(page.get_by_text("What is a cat?")).to_be_visible()
    yield "label"
    to("label/owner")
    expect(page.locator("main form").first).to_be_visible()
    yield "label, for owners"


def faults(page: Page, scheme: Any = "light") -> list[str]:
    page.emulate_media(color_scheme=scheme)
    if not page.evaluate("() => 'measured' in window"):
        for path in (AXE, Path(__file__).parent / "measured.js"):
            page.evaluate(path.read_text(encoding="utf-8"))
    return [fault for measure in MEASURES[scheme] for fault in page.evaluate(f"() => measured.{measure}()")]


@pytest.mark.parametrize(("locale", "width"), WAYS)
def test_every_page(browser: Browser, address: str, filled: str, locale: str, width: int) -> None:
    visit = Visit(browser, address, locale=locale, viewport={"width": width, "height": 720})
    page, found = visit.page, list[str]()
    for name in states(page, address, filled):
        found += [f"{name}, {scheme}: {one}" for scheme in MEASURES for one in faults(page, scheme)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{name}: {wide} pixels wide"] if wide > width else []
    assert not found, "\n".join(found)
    visit.close()


def test_the_door(browser: Browser, model: FakeModel, store: Store) -> None:
    with running(create_app({"tiny": model}, store, keys={"root": "key"})) as address:  # pyright: ignore[reportArgumentType]
        visit = Visit(browser, address, viewport={"width": 360, "height": 640})
        expect(visit.page.get_by_label("API key")).to_be_visible()
        assert faults(visit.page) == []
        visit.expected("401")
        visit.close()
