"""Hostile texts in every place where a page shows what a model or a person wrote: no script runs, nobody is asked."""

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect
from tests.serving.conftest import FakeModel, FakeStream, running
from tests.serving.pages.conftest import Visit

from gptwright.serving.api import create_app
from gptwright.serving.routes.jobs import Improving, InUse
from gptwright.store.database import Store
from gptwright.store.jobs import add_job, end_job, take_job
from gptwright.store.labels import annotate
from gptwright.store.messages import add_conversation, add_message

pytestmark = pytest.mark.browser

FILE = json.loads((Path(__file__).parent / "hostile_texts.json").read_text(encoding="utf-8"))
TEXTS: list[str] = FILE["texts"]
LONG: list[str] = [one["text"] * (one["length"] // len(one["text"])) for one in FILE["repeated"]]
FRAMES = (
    "{}", "- {}", "1. a\n   {}", "# {}", "> {}", "**{}**", "`{}`", "| a |\n|---|\n| {} |", "[x]({})", "![x]({})",
    "[{}](x)", "```html\n{}\n```", "${}$", "$$\n{}\n$$", "<think>{}</think>", "a\n{}\nb", "<p>{}</p>", "[x]: {}\n\n[x]",
)  # fmt: skip
SHORT = [text for text in TEXTS if len(text) <= 200 and text.strip() and "\x00" not in text]
HARM = """() => {
  const found = window.__pwned === undefined || window.__pwned instanceof Element ? [] : ["window.__pwned is set"];
  const KNOWN = new Set(["http:", "https:", "mailto:", ""]);
  const ADDRESSES = new Set("href src action formaction srcset poster background data ping xlink:href".split(" "));
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    if (["iframe", "object", "embed", "base", "frame", "frameset", "applet", "portal"].includes(name)) found.push(name);
    if (name === "script" && !["/app.js", "/theme.js"].includes(element.getAttribute("src"))) found.push("script");
    if (["link", "meta"].includes(name) && !document.head.contains(element)) found.push(name);
    for (const { name: attribute, value } of element.attributes) {
      if (attribute.startsWith("on")) found.push(`${name} ${attribute}`);
      if (!ADDRESSES.has(attribute) || /^(#|blob:)/.test(value)) continue;
      const protocol = URL.canParse(value, location.href) ? new URL(value, location.href).protocol : "";
      const fetched = attribute !== "href" && !/^[/][^/]/.test(value);
      if (!KNOWN.has(protocol) || fetched) found.push(`${name} ${attribute}=${value}`);
    }
  }
  return found;
}"""


def unharmed(visit: Visit) -> None:
    """Of all that is shown, nothing is more than text and known elements; `Visit` refuses requests to others."""
    assert visit.page.evaluate(HARM) == []
    assert visit.faults == []


def variations() -> list[str]:
    """Every text by itself, and in frames in turn."""
    framed = [frame.format(text) for frame, text in zip(cycle(FRAMES[1:]), TEXTS * 2, strict=False)]
    return [*TEXTS, *framed]


def test_there_are_enough() -> None:
    assert len(set(variations())) >= 500 and len(SHORT) >= 120


@pytest.fixture(autouse=True)
def other_host(visit: Visit) -> None:
    """Nobody is asked: a request would be a fault, and is not let out."""
    visit.context.route("http://127.0.0.1:9999/**", lambda route: route.abort())


def conversation(store: Store, texts: list[str], **fields: Any) -> tuple[str, str]:
    """One in which both sides say these; its id, and that of its last message."""
    with store.write() as session:
        id = add_conversation(session, **fields).id
        last = add_message(session, id, None, "system", texts[0]).id
        for number, text in enumerate(texts):
            last = add_message(session, id, last, "user", text).id
            last = add_message(session, id, last, "assistant", text, model=SHORT[number % len(SHORT)]).id
            annotate(session, "comment", last, text or "x")
    return id, last


def opened(visit: Visit, id: str, last: str) -> None:
    visit.page.goto(f"{visit.address}/#/chat/{id}")
    expect(visit.page.locator(f"[data-id='{last}']")).to_be_attached()


@pytest.mark.parametrize("part", range(5))
def test_in_stored_questions_answers_and_system_prompts(visit: Visit, store: Store, part: int) -> None:
    opened(visit, *conversation(store, variations()[part::5]))
    unharmed(visit)
    visit.page.get_by_label("Search your chats").focus()  # the page still listens
    assert visit.page.locator("h1").inner_text() == "gptwright"


def test_in_long_ones(visit: Visit, store: Store) -> None:
    for part in range(3):
        opened(visit, *conversation(store, LONG[part::3]))
        unharmed(visit)


class Hostile(FakeModel):
    """Says `reply` in pieces of random lengths, so that a tag, a link or a sign is cut anywhere."""

    seed = 0

    def open_stream(self, ids: Any, sampling: Any, **options: Any) -> FakeStream:
        made = super().open_stream(ids, sampling, **options)
        draw, rest, made.words = Random(self.seed), self.reply, []
        while rest:
            length = draw.choice((1, 1, 2, 3, 5, 8, 40))
            made.words.append(rest[:length])
            rest = rest[length:]
        made.cut, made.joint = False, ""
        return made


@pytest.fixture
def model() -> Hostile:
    return Hostile(context=100_000)


@pytest.mark.parametrize("part", range(6))
def test_in_answers_that_are_written_piece_by_piece(visit: Visit, model: Hostile, part: int) -> None:
    texts = [text for text in variations() if len(text) < 400]
    model.seed, model.reply = part, "\n\n".join(texts[part::6])
    box = visit.page.get_by_role("textbox", name="Write a message")
    box.fill("Go on")
    box.press("Enter")
    expect(visit.page.get_by_role("button", name="Another answer")).to_be_visible()
    unharmed(visit)


def test_in_titles_and_folders_and_in_what_is_searched(visit: Visit, store: Store) -> None:
    page = visit.page
    with store.write() as session:
        for text in SHORT[:100]:
            made = add_conversation(session, title=text)
            made.folder = text
    page.reload()
    expect(page.locator("aside nav")).to_contain_text("__pwned")
    unharmed(visit)
    search = page.get_by_label("Search your chats")
    for text in SHORT[:100:10]:
        search.fill(text)
        expect(search).to_have_value(text.replace("\n", ""))
    page.wait_for_load_state("networkidle")
    unharmed(visit)


def test_in_names_of_models_and_questions_that_are_offered(browser: Browser, store: Store) -> None:
    models: dict[str, Any] = {text: FakeModel(name=text) for text in SHORT}
    with running(create_app(models, store, examples=SHORT)) as address:
        visit = Visit(browser, address)
        expect(visit.page.get_by_role("button", name="Send")).to_be_visible()
        unharmed(visit)
        visit.page.get_by_role("button", name=SHORT[0]).first.click()
        unharmed(visit)
        visit.close()


def test_in_what_the_server_says_of_an_error(visit: Visit) -> None:
    message = "\n\n".join(SHORT)

    def refused(route: Route) -> None:
        route.fulfill(status=418, json={"error": {"message": message, "code": message, "param": message}})

    visit.context.route("**/api/conversations**", refused)
    visit.page.reload()
    expect(visit.page.get_by_role("alert").first).to_contain_text("__pwned")
    assert visit.page.evaluate(HARM) == []
    visit.expected("418")


class Run:
    """A run whose improvement tells hostile texts."""

    @staticmethod
    def outcome(lines: Any) -> dict[str, Any]:
        return {}

    @classmethod
    def improving(cls) -> Improving:
        now: Any = FakeModel
        return Improving(lambda asked: ["false"], lambda: InUse("tiny", now, {"weights": "abc"}), least=20,
                         outcome=cls.outcome, prompts=lambda: SHORT, may_undo=lambda: True)  # fmt: skip


@pytest.fixture
def teaching(browser: Browser, store: Store) -> Iterator[Visit]:
    """The page of teaching after an improvement whose answers, names and reasons are hostile."""
    text = "\n".join(SHORT)
    samples = [
        {"messages": [{"role": "user", "content": one}], "answers": [one, f"{one} "[::-1]], "new": 1} for one in SHORT
    ]
    outcome = {"folder": text, "before": text, "promoted": True, "method": text, "measure": "pairs", "share": 0.9,
               "low": 0.8, "high": 1.0, "count": 9, "against": SHORT, "samples": samples}  # fmt: skip
    with store.write() as session:
        for state, result in (("done", {"outcome": outcome}), ("failed", {"error": text})):
            add_job(session, "improve", {})
            job = take_job(session, ["improve"])
            assert job
            end_job(session, job.id, state, result)
    model = Hostile(name="tiny", context=100_000, reply="\n\n".join(SHORT[:40]))
    app = create_app({"tiny": model}, store, improving=Run.improving())  # pyright: ignore[reportArgumentType]
    with running(app) as address:
        visit = Visit(browser, address, "/#/improve")
        yield visit
        visit.close()


def test_in_what_an_improvement_came_to(teaching: Visit) -> None:
    page = teaching.page
    expect(page.get_by_role("alert")).to_contain_text("__pwned")
    page.get_by_role("button", name="Judge 10 pairs").click()
    unharmed(teaching)
    page.get_by_role("button", name="Show which is which").click()
    expect(page.get_by_text("Before", exact=True).first).to_be_visible()
    unharmed(teaching)
