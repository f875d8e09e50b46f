"""Branches that go and come back, and answers of which only the browser has a part."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.chat import answered, answers, press, say, text_of
from tests.serving.pages.conftest import Cable, Visit

from gptwright.serving.api import create_app
from gptwright.store.database import Store

pytestmark = pytest.mark.browser


def two_answers(page: Page, model: FakeModel) -> None:
    """To one question; the second, "Good day.", is open, with a turn behind it."""
    say(page, "Hi")
    answered(page)
    model.reply = "Good day."
    press(page, "Another answer")
    expect(text_of(answered(page))).to_have_text("Good day.")
    say(page, "And then?")
    answered(page, 2)


@pytest.mark.parametrize("temporary", [False, True])
def test_a_branch_is_deleted_and_taken_back(visit: Visit, model: FakeModel, temporary: bool) -> None:
    page = visit.page
    if temporary:
        press(page, "Temporary chat")
    two_answers(page, model)
    press(page.locator("li.assistant").first, "Delete this branch")
    expect(text_of(answered(page))).to_have_text("Hello there, my friend.")
    expect(page.get_by_role("button", name="Delete this branch")).to_have_count(0)  # one alone is no branch
    press(page, "Undo")
    expect(text_of(answered(page, 2).first)).to_have_text("Good day.")
    expect(answers(page).first).to_contain_text("2/2")


def test_a_deleted_branch_stays_away_and_is_taken_back_after_a_look(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    two_answers(page, model)
    press(page.locator("li.assistant").first, "Delete this branch")
    answered(page)
    page.evaluate("dispatchEvent(new Event('focus'))")  # reads it again
    page.wait_for_load_state("networkidle")
    expect(text_of(answered(page))).to_have_text("Hello there, my friend.")
    press(page, "Undo")
    answered(page, 2)
    press(page.locator("li.assistant").first, "Delete this branch")
    answered(page)
    page.reload()
    expect(text_of(answered(page))).to_have_text("Hello there, my friend.")


def test_an_edited_question_is_a_branch_too(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "cats")
    answered(page)
    press(page.locator("li.user"), "Edit")
    page.get_by_role("textbox", name="Edit").fill("dogs")
    press(page, "Send again")
    expect(page.locator("li.user .said")).to_have_text(["dogs"])
    answered(page)
    press(page.locator("li.user"), "The one before")
    press(page.locator("li.user"), "Delete this branch")
    expect(page.locator("li.user .said")).to_have_text(["dogs"])


def test_what_one_tab_deletes_goes_away_in_the_other(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    two_answers(page, model)
    other = visit.another(page.url.removeprefix(visit.address))
    answered(other, 2)
    press(page.locator("li.assistant").first, "Delete this branch")
    answered(page)
    other.evaluate("dispatchEvent(new Event('focus'))")
    expect(text_of(answered(other))).to_have_text("Hello there, my friend.")


def test_a_deletion_that_is_refused_says_so(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    two_answers(page, model)
    visit.context.set_offline(True)
    press(page.locator("li.assistant").first, "Delete this branch")
    expect(page.locator(".notes")).to_contain_text("does not answer")
    answered(page, 2)
    visit.context.set_offline(False)
    visit.expected("ERR_INTERNET_DISCONNECTED")


def died(browser: Browser, cable: Cable, model: FakeModel) -> Visit:
    """A page that has one word of an answer whose server is gone."""
    visit = Visit(browser, cable.address)
    model.paced = True
    say(visit.page, "Go on")
    model.gate.set()
    expect(text_of(answers(visit.page))).to_have_text("Hello")
    cable.cut()
    expect(visit.page.get_by_role("alert")).to_contain_text("Interrupted")
    return visit


def test_a_partial_answer_outlives_a_reload_while_the_server_is_gone_and_goes_on(
    browser: Browser, cable: Cable, serve: Any, model: FakeModel, store: Store
) -> None:
    visit = died(browser, cable, model)
    page, other = visit.page, FakeModel(reply=" and more")
    address = page.url
    page.goto("about:blank")  # what a reload comes to: nobody answers
    with serve(create_app({"tiny": other}, store)) as server:  # pyright: ignore[reportArgumentType]
        cable.plug(server)
        cable.whole = True
        page.goto(address)
        expect(text_of(answered(page))).to_have_text("Hello")
        expect(answers(page)).to_contain_text("Only this browser has it")
        page.reload()
        expect(text_of(answered(page))).to_have_text("Hello")
        press(page, "Continue")
        expect(text_of(answered(page))).to_have_text("Hello and more")
        page.reload()
        expect(text_of(answered(page))).to_have_text("Hello and more")
        assert "unfinished" not in page.evaluate("Object.keys(localStorage).join()")
        visit.faults.clear()
        visit.close()
    model.paced = False
    model.gate.set()


def test_a_partial_answer_that_the_server_has_after_all_is_kept_no_more(
    browser: Browser, cable: Cable, model: FakeModel
) -> None:
    visit = died(browser, cable, model)
    page, address = visit.page, visit.page.url
    page.goto("about:blank")
    model.paced = False
    model.gate.set()
    cable.whole = True
    page.goto(address)
    expect(text_of(answered(page))).to_have_text(model.reply)
    expect(page.get_by_text("Only this browser")).to_have_count(0)
    page.reload()
    answered(page)
    assert "unfinished" not in page.evaluate("Object.keys(localStorage).join()")
    visit.faults.clear()
    visit.close()


def test_a_partial_answer_is_deleted_and_taken_back(browser: Browser, cable: Cable, model: FakeModel) -> None:
    visit = died(browser, cable, model)
    page = visit.page
    press(page, "Stop")
    expect(answered(page)).to_contain_text("Only this browser has it")
    model.paced = False
    model.gate.set()
    cable.whole = True
    press(page, "Try again")
    expect(text_of(answered(page))).to_have_text(model.reply)
    press(page, "The one before")
    press(page, "Delete this branch")
    expect(text_of(answered(page))).to_have_text(model.reply)
    press(page, "Undo")
    expect(text_of(answered(page))).to_have_text("Hello")
    visit.faults.clear()
    visit.close()
