"""What a model of code does beside conversing: it inserts and edits; nothing changes before it is taken over."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.serving.conftest import FakeModel, FakeStream, running
from tests.serving.pages.chat import press
from tests.serving.pages.conftest import Visit
from tests.serving.pages.test_hostile_text import HARM, SHORT
from tests.serving.test_editors import coder, wide

from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store

__all__ = ["coder", "wide"]
pytestmark = pytest.mark.browser
OPEN = "Insert and edit code"


class Coder(FakeModel):
    """Notes what it is asked to insert or to edit, and says `reply`."""

    told: list[Any]

    def open_insertion(self, prefix: Any, suffix: str, sampling: Any, *, seed: Any = None) -> FakeStream:
        self.told = [prefix, suffix]
        return self.open_stream([], sampling, seed=seed)

    def open_edit(self, text: str, instruction: str, sampling: Any, *, seed: Any = None) -> FakeStream:
        self.told = [text, instruction]
        return self.open_stream([], sampling, seed=seed)


@pytest.fixture
def model() -> Coder:
    return Coder(inserts=True, edits=True)


def panel(page: Page) -> Locator:
    press(page, OPEN)
    return page.get_by_role("dialog", name=OPEN)


def test_what_stands_between_is_inserted_taken_over_and_undone(visit: Visit, model: Coder) -> None:
    page, model.reply = visit.page, "    return 2 * x\n"
    here = panel(page)
    expect(here.get_by_role("button", name="Write what stands between")).to_be_disabled()
    before, after = here.get_by_label("Code before"), here.get_by_label("Code after")
    before.fill("def twice(x):\n")
    after.fill("\nprint(twice(3))")
    here.get_by_role("button", name="Write what stands between").click()
    expect(here.locator("ins")).to_have_text(model.reply, use_inner_text=False)
    assert model.told == ["def twice(x):\n", "\nprint(twice(3))"]
    expect(before).to_have_value("def twice(x):\n")
    here.get_by_role("button", name="Take over").click()
    expect(before).to_have_value("def twice(x):\n    return 2 * x\n")
    expect(after).to_have_value("\nprint(twice(3))")
    expect(here.locator("ins")).to_have_count(0)
    here.get_by_role("button", name="Undo").click()
    expect(before).to_have_value("def twice(x):\n")
    expect(here.get_by_role("button", name="Undo")).to_be_disabled()
    page.reload()
    expect(panel(page).get_by_label("Code before")).to_have_value("def twice(x):\n")


def test_code_is_edited_with_the_difference_before_it_is_taken_over(visit: Visit, model: Coder) -> None:
    page, model.reply = visit.page, "def f(a):\n    return a + 1\n\nprint(f(1))"
    here = panel(page)
    here.get_by_role("button", name="Edit", exact=True).click()
    code = here.get_by_role("textbox", name="Code", exact=True)
    code.fill("def f(x):\n    return x + 1\n\nprint(f(1))")
    here.get_by_label("What is to be done to it").fill("Call it a")
    here.get_by_role("button", name="Write it anew").click()
    change = here.get_by_role("group", name="What would change")
    expect(change.locator(".removed")).to_have_text(["removed − def f(x):", "removed −     return x + 1"])
    expect(change.locator(".added")).to_have_text(["added + def f(a):", "added +     return a + 1"])
    assert model.told == ["def f(x):\n    return x + 1\n\nprint(f(1))", "Call it a"]
    here.get_by_role("button", name="Discard").click()
    expect(change).to_have_count(0)
    here.get_by_role("button", name="Write it anew").click()
    here.get_by_role("button", name="Take over").click()
    expect(code).to_have_value(model.reply)
    here.get_by_role("button", name="Write it anew").click()
    expect(here.get_by_text("Nothing would change.")).to_be_visible()
    here.get_by_role("button", name="Undo").click()
    expect(code).to_have_value("def f(x):\n    return x + 1\n\nprint(f(1))")


def test_it_is_stopped_and_says_where_it_was_cut(visit: Visit, model: Coder) -> None:
    page, model.paced = visit.page, True
    here = panel(page)
    here.get_by_label("Code before").fill("x = ")
    here.get_by_role("button", name="Write what stands between").click()
    model.gate.set()
    expect(here.locator("ins")).to_have_text("Hello")
    here.get_by_role("button", name="Stop").click()
    expect(here.get_by_role("button", name="Take over")).to_be_enabled()
    model.paced = False
    model.gate.set()
    model.sampling = type(model.sampling)(max_tokens=2)
    page.reload()
    here = panel(page)
    here.get_by_role("button", name="Write what stands between").click()
    expect(here.get_by_text("Longest answer reached")).to_be_visible()


def test_an_error_is_told_and_the_code_stays(visit: Visit, model: Coder) -> None:
    page = visit.page
    here = panel(page)
    here.get_by_label("Code before").fill("x = ")
    visit.context.set_offline(True)
    here.get_by_role("button", name="Write what stands between").click()
    expect(here.get_by_role("alert")).to_contain_text("does not answer")
    visit.context.set_offline(False)
    expect(here.get_by_label("Code before")).to_have_value("x = ")
    visit.expected("ERR_INTERNET_DISCONNECTED")


@pytest.mark.parametrize(("inserts", "edits"), [(False, False), (True, False), (False, True)])
def test_only_what_the_model_was_taught_is_offered(visit: Visit, model: Coder, inserts: bool, edits: bool) -> None:
    model.inserts, model.edits = inserts, edits
    visit.page.reload()
    expect(visit.page.get_by_role("button", name="Settings")).to_be_visible()
    offered = visit.page.get_by_role("button", name=OPEN)
    if not inserts and not edits:
        expect(offered).to_have_count(0)
        return
    here = panel(visit.page)
    expect(here.get_by_label("Code before")).to_have_count(int(inserts))
    expect(here.get_by_label("What is to be done to it")).to_have_count(int(edits))


def test_a_real_model_of_code_is_asked(browser: Browser, wide: Model, store: Store) -> None:
    with running(create_app({"coder": wide}, store)) as address:
        visit = Visit(browser, address)
        here = panel(visit.page)
        here.get_by_label("Code before").fill("the cat")
        here.get_by_label("Code after").fill("the mat")
        here.get_by_role("button", name="Write what stands between").click()
        expect(here.get_by_role("button", name="Take over")).to_be_visible()
        here.get_by_role("button", name="Edit", exact=True).click()
        here.get_by_role("textbox", name="Code", exact=True).fill("the cat")
        here.get_by_label("What is to be done to it").fill("dog")
        here.get_by_role("button", name="Write it anew").click()
        expect(here.get_by_role("button", name="Take over")).to_be_visible()
        visit.close()


def test_hostile_code_stays_text(visit: Visit, model: Coder) -> None:
    page, model.context = visit.page, 100_000
    model.reply, model.sampling = "\n".join(SHORT), type(model.sampling)(max_tokens=10_000)
    here = panel(page)
    here.get_by_label("Code before").fill("\n".join(SHORT[::-1]))
    here.get_by_role("button", name="Write what stands between").click()
    expect(here.get_by_role("button", name="Take over")).to_be_visible()
    assert page.evaluate(HARM) == []
    here.get_by_role("button", name="Edit", exact=True).click()
    here.get_by_role("textbox", name="Code", exact=True).fill("\n".join(SHORT[::2]))
    here.get_by_label("What is to be done to it").fill(SHORT[0])
    here.get_by_role("button", name="Write it anew").click()
    expect(here.get_by_role("button", name="Take over")).to_be_visible()
    assert page.evaluate(HARM) == []
