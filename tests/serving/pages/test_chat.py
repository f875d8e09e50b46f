"""The chat: asking, reading, stopping, branching."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.chat import answered, answers, box, kept, press, say, text_of
from tests.serving.pages.conftest import Visit

pytestmark = pytest.mark.browser


def stored(page: Page) -> dict[str, Any]:
    """The open conversation, as the server keeps it."""
    return page.evaluate("id => fetch('/api/conversations/' + id).then(r => r.json())", kept(page))


def until(page: Page, true: Callable[[], Any]) -> Any:
    for _ in range(500):
        if found := true():
            return found
        page.wait_for_timeout(10)
    pytest.fail("it never came")


def test_an_answer_comes_word_by_word(visit: Visit, model: FakeModel) -> None:
    page, model.paced = visit.page, True
    say(page, "Say hello")
    expect(page.get_by_text("Reading")).to_be_visible()
    model.gate.set()
    expect(text_of(answers(page))).to_have_text("Hello")
    expect(page.get_by_role("button", name="Another answer")).to_have_count(0)
    model.gate.set()
    expect(text_of(answers(page))).to_have_text("Hello there,")
    model.paced = False
    model.gate.set()
    expect(text_of(answered(page))).to_have_text(model.reply)
    assert [m["content"] for m in stored(page)["messages"]] == ["Say hello", model.reply]


def test_a_word_that_comes_draws_nothing_else_anew(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    for turn in range(3):
        say(page, f"{turn}")
        answered(page, turn + 1)
    model.paced = True
    say(page, "3")
    expect(answers(page)).to_have_count(4)
    page.evaluate(
        """() => { window.touched = 0; const last = [...document.querySelectorAll('li.assistant')].at(-1);
        new MutationObserver(all => window.touched += all.filter(one => !last.contains(one.target)).length)
        .observe(document.querySelector('[role=log]'), {childList: true, subtree: true, characterData: true}); }"""
    )
    for words in ("Hello", "Hello there,", "Hello there, my"):
        model.gate.set()
        expect(text_of(answers(page).last)).to_have_text(words)
    assert page.evaluate("window.touched") == 0
    model.paced = False
    model.gate.set()
    answered(page, 4)


def test_stopped_by_a_key_it_keeps_what_is_written_and_goes_on(visit: Visit, model: FakeModel) -> None:
    page, model.paced = visit.page, True
    say(page, "Go on")
    model.gate.set()
    expect(text_of(answers(page))).to_have_text("Hello")
    page.keyboard.press("Escape")
    expect(answered(page)).to_contain_text("Stopped")
    model.paced, model.reply = False, " and more"
    model.gate.set()
    press(page, "Continue")
    expect(text_of(answered(page))).to_have_text("Hello and more")
    expect(answers(page)).to_contain_text("2/2")
    assert [m["content"] for m in stored(page)["messages"]][1:] == ["Hello", "Hello and more"]


def test_stop_before_the_first_word(visit: Visit, model: FakeModel) -> None:
    page, model.paced = visit.page, True
    say(page, "Go on")
    expect(page.get_by_text("Reading")).to_be_visible()
    press(page, "Stop")
    expect(answered(page)).to_contain_text("Stopped")
    model.paced = False
    model.gate.set()


def test_an_answer_that_was_cut_is_continued(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    model.reply, model.sampling = "one two three", type(model.sampling)(max_tokens=3)
    say(page, "Count")
    expect(answered(page)).to_contain_text("Longest answer reached")
    model.reply = " four"
    press(page, "Continue")
    expect(text_of(answered(page))).to_have_text("one two three four")


def test_another_answer_stands_beside_the_first(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "Hi")
    answered(page)
    model.reply = "Good day."
    press(page, "Another answer")
    expect(text_of(answered(page))).to_have_text("Good day.")
    expect(answers(page)).to_contain_text("2/2")
    press(page, "The one before")
    expect(text_of(answers(page))).to_have_text("Hello there, my friend.")
    until(page, lambda: stored(page)["leaf"] == stored(page)["messages"][1]["id"])
    page.reload()
    expect(text_of(answered(page))).to_have_text("Hello there, my friend.")
    expect(answers(page)).to_contain_text("1/2")


def test_an_edited_question_stands_beside_the_first_with_its_own_answers(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "What is a cat?")
    answered(page)
    say(page, "And then?")
    answered(page, 2)
    model.reply = "A dog barks."
    press(page.locator("li.user").first, "Edit")
    page.get_by_role("textbox", name="Edit").fill("What is a dog?")
    press(page, "Send again")
    expect(text_of(answered(page))).to_have_text("A dog barks.")
    assert [m["content"] for m in model.asked[-1][0]] == ["What is a dog?"]
    press(page.locator("li.user").first, "The one before")
    expect(page.locator("li.user .said")).to_have_text(["What is a cat?", "And then?"])
    press(page.locator("li.user").first, "The next one")
    expect(page.locator("li.user .said")).to_have_text(["What is a dog?"])


def test_a_question_and_its_answer_are_one_request(visit: Visit) -> None:
    page = visit.page
    say(page, "first")
    answered(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    say(page, "second")
    answered(page, 2)
    assert asked == ["POST"]


def test_a_double_click_and_enter_twice_send_once(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    box(page).fill("once")
    page.get_by_role("button", name="Send").dblclick()
    answered(page)
    box(page).fill("twice")
    box(page).press("Enter")
    box(page).press("Enter")
    answered(page, 2)
    assert [m["content"] for m in stored(page)["messages"]] == ["once", model.reply, "twice", model.reply]


COMPOSING = {
    "while a word is composed": [("keydown", {"key": "Enter", "isComposing": True})],
    "by a browser that tells only the code": [("keydown", {"key": "Enter", "keyCode": 229})],
    "in Safari's order": [("compositionend", {}), ("keydown", {"key": "Enter"})],
}


@pytest.mark.parametrize("order", COMPOSING)
def test_enter_that_ends_a_composition_sends_nothing(visit: Visit, model: FakeModel, order: str) -> None:
    page = visit.page
    box(page).fill("你好")
    page.evaluate(
        """events => { const at = document.activeElement;
        for (const [name, more] of events) at.dispatchEvent(new (name === 'keydown' ? KeyboardEvent : CompositionEvent)
        (name, {bubbles: true, cancelable: true, ...more})); }""",
        COMPOSING[order],
    )
    expect(box(page)).to_have_value("你好")
    expect(page.locator("li.user")).to_have_count(0)
    box(page).press("Enter")
    answered(page)
    assert len(model.asked) == 1


def test_shift_and_enter_is_a_new_line(visit: Visit) -> None:
    box(visit.page).fill("one")
    box(visit.page).press("Shift+Enter")
    expect(box(visit.page)).to_have_value("one\n")


def test_ways_to_begin(visit: Visit, model: FakeModel) -> None:
    press(visit.page, "What is a cat?")
    answered(visit.page)
    assert model.asked[0][0] == [{"role": "user", "content": "What is a cat?"}]


def test_ways_to_begin_of_the_page_itself_are_in_its_language(
    browser: Browser, serve: Any, client: Any, model: FakeModel, store: Any
) -> None:
    from gptwright.serving.api import create_app

    with serve(create_app({model.name: model}, store)) as address:  # pyright: ignore[reportArgumentType]
        visit = Visit(browser, address, locale="zh-CN")
        expect(visit.page.get_by_role("heading", name="想问点什么？")).to_be_visible()
        press(visit.page, "讲个小故事")
        expect(visit.page.get_by_role("button", name="换一个回答")).to_have_count(1)
        assert "小猫" in model.asked[0][0][0]["content"]
        visit.close()


def test_a_temporary_chat_is_kept_nowhere(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    press(page, "Temporary chat")
    expect(page.get_by_role("heading", name="A temporary chat")).to_be_visible()
    say(page, "a secret")
    expect(text_of(answered(page))).to_have_text(model.reply)
    say(page, "more")
    answered(page, 2)
    assert [m["content"] for m in model.asked[-1][0]] == ["a secret", model.reply, "more"]
    assert page.evaluate("fetch('/api/conversations').then(r => r.json())") == {"conversations": []}
    assert "secret" not in page.evaluate("JSON.stringify(localStorage)")
    press(page, "New chat")
    expect(answers(page)).to_have_count(0)
    press(page, "Undo")
    answered(page, 2)


def test_a_temporary_answer_is_stopped_and_answered_again(visit: Visit, model: FakeModel) -> None:
    page, model.paced = visit.page, True
    press(page, "Temporary chat")
    say(page, "Go on")
    model.gate.set()
    expect(text_of(answers(page))).to_have_text("Hello")
    press(page, "Stop")
    expect(answered(page)).to_contain_text("Stopped")
    model.paced = False
    model.gate.set()
    press(page, "Another answer")
    expect(text_of(answered(page))).to_have_text(model.reply)
    expect(answers(page)).to_contain_text("2/2")


def test_where_the_models_view_begins_is_shown(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    for turn in range(3):
        say(page, f"turn {turn} " + "word " * 20)
        answered(page, turn + 1)
    divider = page.get_by_text("The model does not see what stands above this line")
    expect(divider).to_have_count(1)
    following = divider.locator("xpath=following::li[1]")
    assert model.asked[-1][0][0]["content"].split()[:2] == following.inner_text().replace("You", "").split()[:2]


def test_how_an_answer_came_about(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "Hi")
    answered(page)
    expect(page.get_by_text("tokens/s")).to_have_count(0)
    press(page, "How this answer came about")
    facts = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    made = stored(page)["messages"][1]["generation"]
    assert (facts["Model"], facts["Tokens"], facts["Seed"]) == ("tiny", "4", str(made["seed"]))
    assert f"all after {made['seconds']['all']:.2f} s" in facts["Time"]
    assert json.loads(json.dumps(made["seed"])) < 2**53


def test_the_place_in_line_is_told(visit: Visit, model: FakeModel) -> None:
    page, model.paced = visit.page, True
    say(page, "first")
    expect(page.get_by_text("Reading")).to_be_visible()
    other = visit.another()
    say(other, "second")
    expect(other.get_by_text("Place 1 in line")).to_be_visible()
    model.paced = False
    model.gate.set()
    answered(page)
    answered(other)


def test_a_reader_who_scrolled_up_stays_and_jumps_to_the_end(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    model.reply = "line\n\n" * 60 + " the end of it"
    say(page, "first")
    answered(page)
    log = page.get_by_role("log")
    at_end = "e => e.scrollHeight - e.scrollTop - e.clientHeight < 48"
    until(page, lambda: log.evaluate(at_end))
    model.paced = True
    say(page, "second")
    model.gate.set()
    until(page, lambda: model.made > 3 and log.evaluate(at_end))
    log.evaluate("e => { e.scrollTop = 100; }")
    jump = page.get_by_role("button", name="To the end")
    expect(jump).to_be_visible()
    model.paced = False
    model.gate.set()
    answered(page, 2)
    assert log.evaluate("e => e.scrollTop") == 100
    jump.click()
    until(page, lambda: log.evaluate(at_end))
    expect(jump).to_have_count(0)


def test_focus_stays_where_it_is_while_an_answer_comes(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "Hi")
    answered(page)
    expect(box(page)).to_be_focused()
    model.paced = True
    say(page, "And?")
    model.gate.set()
    model_picker = page.get_by_role("button", name="tiny")
    model_picker.focus()
    model.paced = False
    model.gate.set()
    answered(page, 2)
    expect(model_picker).to_be_focused()


def test_a_screen_reader_hears_an_answer_once_it_is_whole(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    page.evaluate(
        """() => { window.heard = []; const live = document.querySelector('.unseen[aria-live]');
        new MutationObserver(() => window.heard.push(live.textContent)).observe(live, {subtree: true, childList: true,
        characterData: true}); }"""
    )
    say(page, "Hi")
    answered(page)
    until(page, lambda: page.evaluate("window.heard"))
    assert page.evaluate("window.heard") == [model.reply]
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    expect(page.get_by_role("log").get_by_role("heading")).to_have_text(["You", "tiny"])


def test_right_to_left_text_and_marks_that_turn_letters(visit: Visit, model: FakeModel) -> None:
    page, model.reply = visit.page, "مرحبا يا صديقي"
    say(page, "שלום")
    direction = "e => getComputedStyle(e).direction"
    assert text_of(answered(page)).locator("p").evaluate(direction) == "rtl"
    assert page.locator("li.user .said").evaluate(direction) == "rtl"
    expect(page.get_by_text("invisible marks")).to_have_count(0)
    say(page, "pay \u202etxt.exe")
    answered(page, 2)
    expect(page.locator("li.user").last).to_contain_text("invisible marks")


def test_keys(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    say(page, "Hi")
    answered(page)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Shift+Escape")
    expect(box(page)).to_be_focused()
    page.keyboard.press("Control+Shift+Y")
    expect(page.get_by_text("Copied").first).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == model.reply
    page.keyboard.press("Control+Shift+O")
    expect(answers(page)).to_have_count(0)
    box(page).press("?")
    expect(box(page)).to_have_value("?")
    page.get_by_role("button", name="New chat").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Copy the last answer")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(browser: Browser, address: str, model: FakeModel, scheme: Any) -> None:
    visit = Visit(browser, address, viewport={"width": 360, "height": 640}, color_scheme=scheme, has_touch=True)
    page = visit.page
    model.reply = "W" * 300 + " ```\n" + "x = 1; " * 40 + "\n```"
    expect(page.get_by_role("button", name="New chat")).to_have_count(0)
    say(page, "y" * 200)
    answered(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = """() => [...document.querySelectorAll('button, a, input, select, textarea')]
        .filter(e => e.checkVisibility())
        .map(e => [e.getBoundingClientRect(), e]).filter(([r]) => r.width && (r.width < 44 || r.height < 43.9))
        .map(([r, e]) => e.outerHTML.slice(0, 90))"""
    assert page.evaluate(small) == []
    press(page, "Show your chats")
    expect(page.get_by_role("button", name="New chat")).to_be_in_viewport()
    page.wait_for_timeout(250)  # the drawer has come
    assert page.evaluate(small) == []
    press(page, "New chat")
    expect(page.get_by_role("heading", name=re.compile("What would you"))).to_be_visible()
    visit.close()
