"""What goes wrong around a chat, and that nothing is lost by it."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.chat import answered, answers, box, kept, press, say, text_of
from tests.serving.pages.conftest import Cable, Visit

from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.messages import add_conversation, add_message

pytestmark = pytest.mark.browser


def begun(page: Page, model: FakeModel) -> None:
    """An answer of which one word has come."""
    model.paced = True
    say(page, "Go on")
    model.gate.set()
    expect(text_of(answers(page))).to_have_text("Hello")


def let_go(model: FakeModel) -> None:
    model.paced = False
    model.gate.set()


def test_a_reload_in_the_middle_reads_on(visit: Visit, model: FakeModel) -> None:
    begun(visit.page, model)
    visit.page.reload()
    expect(text_of(answers(visit.page))).to_have_text("Hello")
    let_go(model)
    expect(text_of(answered(visit.page))).to_have_text(model.reply)
    assert len(model.asked) == 1


def test_another_chat_and_back_in_the_middle(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    begun(page, model)
    press(page, "New chat")
    expect(answers(page)).to_have_count(0)
    page.get_by_role("link", name="Go on").click()
    expect(text_of(answers(page))).to_have_text("Hello")
    let_go(model)
    expect(text_of(answered(page))).to_have_text(model.reply)


def test_a_lost_connection_is_made_again_and_goes_on_where_it_was(
    browser: Browser, cable: Cable, model: FakeModel
) -> None:
    visit = Visit(browser, cable.address)
    model.reply = "🙂 there, my friend."  # one character of the server's, two of JavaScript's
    model.paced = True
    say(visit.page, "Go on")
    model.gate.set()
    expect(text_of(answers(visit.page))).to_have_text("🙂")
    cable.cut()
    expect(visit.page.get_by_role("alert")).to_contain_text("The server does not answer")
    expect(text_of(answers(visit.page))).to_have_text("🙂")
    let_go(model)
    cable.whole = True
    expect(text_of(answered(visit.page))).to_have_text(model.reply)
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    assert len(model.asked) == 1
    visit.expected("ERR_")
    visit.close()


def test_a_phone_that_fell_asleep_reads_on(browser: Browser, cable: Cable, model: FakeModel) -> None:
    visit = Visit(browser, cable.address, viewport={"width": 360, "height": 640}, has_touch=True)
    begun(visit.page, model)
    phone = visit.context.new_cdp_session(visit.page)
    phone.send("Page.setWebLifecycleState", {"state": "frozen"})
    cable.cut()  # its network goes while it sleeps
    let_go(model)
    cable.whole = True
    phone.send("Page.setWebLifecycleState", {"state": "active"})
    expect(text_of(answered(visit.page))).to_have_text(model.reply)
    assert len(model.asked) == 1
    visit.faults[:] = [fault for fault in visit.faults if "ERR_" not in fault]
    visit.close()


def test_a_copy_that_is_refused_is_told(browser: Browser, address: str) -> None:
    visit = Visit(browser, address)
    visit.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError')); }"
    )
    say(visit.page, "Hi")
    press(answered(visit.page), "Copy")
    expect(visit.page.locator(".notes")).to_contain_text("The browser did not allow copying.")
    visit.close()


def test_a_server_that_was_killed_leaves_what_was_read_and_goes_on(
    browser: Browser, cable: Cable, serve: Any, model: FakeModel, store: Store
) -> None:
    visit, other = Visit(browser, cable.address), FakeModel(reply=" and more")
    page = visit.page
    begun(page, model)
    cable.cut()
    expect(page.get_by_role("alert")).to_contain_text("Interrupted")
    with serve(create_app({"tiny": other}, store)) as address:  # pyright: ignore[reportArgumentType]
        cable.plug(address)
        cable.whole = True
        press(page, "Continue")
        expect(answered(page)).to_contain_text("Interrupted")
        expect(text_of(answers(page))).to_have_text("Hello")
        expect(page.get_by_role("button", name="Try again")).to_be_enabled()
        press(page, "Continue")
        expect(text_of(answered(page))).to_have_text("Hello and more")
        page.reload()
        expect(text_of(answered(page))).to_have_text("Hello and more")
        visit.faults[:] = [f for f in visit.faults if "ERR_" not in f and "404 (Not Found)" not in f]
        visit.close()
    let_go(model)


def test_an_interrupted_answer_is_given_up_and_tried_again(browser: Browser, cable: Cable, model: FakeModel) -> None:
    visit = Visit(browser, cable.address)
    page = visit.page
    begun(page, model)
    cable.cut()
    expect(page.get_by_role("alert")).to_contain_text("Interrupted")
    press(page, "Stop")
    expect(answered(page)).to_contain_text("Interrupted")
    let_go(model)
    cable.whole = True
    press(page, "Try again")
    expect(text_of(answered(page))).to_have_text(model.reply)
    expect(answers(page)).to_contain_text("2/2")
    visit.expected("ERR_")
    visit.close()


def test_a_question_that_nobody_heard_waits_and_is_asked_once(browser: Browser, cable: Cable, model: FakeModel) -> None:
    visit = Visit(browser, cable.address)
    page = visit.page
    say(page, "first")
    answered(page)
    cable.cut()
    say(page, "second")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    cable.whole = True
    press(page, "Try again")
    answered(page, 2)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert [m["content"] for m in model.asked[-1][0]] == ["first", model.reply, "second"]
    visit.expected("ERR_")
    visit.close()


def test_a_question_that_is_too_long_says_so_and_is_kept(visit: Visit) -> None:
    page = visit.page
    say(page, "word " * 80)
    expect(page.get_by_role("alert")).to_contain_text("longer than the model can read")
    page.reload()
    expect(box(page)).to_have_value(("word " * 80).strip())
    box(page).press("Enter")
    press(page, "Put back into the box")
    expect(box(page)).to_have_value(("word " * 80).strip())
    expect(page.locator("li.user")).to_have_count(0)
    visit.expected("400 (Bad Request)")


def test_a_server_that_says_when_is_asked_then(visit: Visit) -> None:
    page = visit.page
    refused = {"error": {"message": "slow down", "code": "rate_limit_exceeded", "param": None}}
    page.route(
        "**/answers", lambda route: route.fulfill(status=429, json=refused, headers={"retry-after": "2"}), times=1
    )
    say(page, "Hi")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_disabled()
    expect(page.get_by_role("alert")).to_contain_text("Try again in 1 s")
    expect(again).to_be_enabled()
    again.click()
    answered(page)
    visit.expected("429")


def test_a_model_that_fails_says_so_at_its_turn_and_answers_again(visit: Visit, model: FakeModel) -> None:
    page, model.reply = visit.page, "crash"
    say(page, "Hi")
    expect(page.get_by_role("alert")).to_be_visible()
    model.reply = "Better."
    press(page, "Try again")
    expect(text_of(answered(page))).to_have_text("Better.")
    visit.faults.clear()


def test_two_tabs_do_not_overwrite_each_other(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "first")
    answered(page)
    other = visit.another(f"/#/chat/{kept(page)}")
    answered(other)
    model.reply = "To one tab."
    say(other, "here")
    answered(other, 2)
    model.reply = "To the other."
    say(page, "there")
    expect(text_of(answered(page, 2))).to_have_text("To the other.")
    for tab in (page, other):
        tab.evaluate("dispatchEvent(new Event('focus'))")
        expect(tab.locator("li.user").last).to_contain_text("2/2" if tab == page else "1/2")
    press(page.locator("li.user").last, "The one before")
    expect(text_of(answers(page).last)).to_have_text("To one tab.")


DENIED = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied', 'SecurityError'); }})"
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"


@pytest.mark.parametrize("storage", [DENIED, FULL])
def test_a_browser_that_keeps_nothing_says_so_and_chats(browser: Browser, address: str, storage: str) -> None:
    visit = Visit(browser, address, "/health")
    visit.context.add_init_script(storage)
    page = visit.page
    page.goto(address)
    box(page).fill("unsent")
    box(page).blur()
    expect(page.get_by_text("This browser keeps nothing")).to_be_visible()
    say(page, "sent")
    answered(page)
    visit.faults[:] = [f for f in visit.faults if "favicon" not in f and "404" not in f]
    visit.close()


def test_unsent_text_is_kept_for_each_chat(visit: Visit) -> None:
    page = visit.page
    say(page, "first")
    answered(page)
    box(page).fill("half a thou")
    box(page).blur()
    press(page, "New chat")
    expect(box(page)).to_have_value("")
    box(page).fill("another")
    page.reload()
    expect(box(page)).to_have_value("another")
    page.get_by_role("link", name="first").click()
    expect(box(page)).to_have_value("half a thou")
    say(page, "whole")
    answered(page, 2)
    page.reload()
    expect(box(page)).to_have_value("")


def long_conversation(store: Store, turns: int) -> str:
    with store.write() as session:
        one = add_conversation(session, owner="", title="long")
        parent = None
        for turn in range(turns):
            role = ("user", "assistant")[turn % 2]
            parent = add_message(session, one.id, parent, role, f"{role} {turn} with **some** text").id
        one.leaf = parent or ""
        return one.id


CHANGES = """() => { window.changes = 0; new MutationObserver(all => window.changes += all.reduce(
(sum, one) => sum + one.addedNodes.length + one.removedNodes.length, 0)).observe(document.body,
{childList: true, subtree: true}); }"""


def test_a_conversation_of_300_messages_is_one_request_and_little_work(visit: Visit, store: Store) -> None:
    page = visit.page
    id = long_conversation(store, 300)
    page.goto(f"{visit.address}/#/chat/{id}")
    answered(page, 150)
    expect(answers(page).last).to_be_in_viewport()
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))
    page.evaluate(CHANGES)
    say(page, "one more")
    answered(page, 151)
    assert len(asked) == 1 and len(asked[0].post_data) < 400
    assert page.evaluate("window.changes") < 100


def test_a_message_of_20_kilobytes(visit: Visit, model: FakeModel) -> None:
    page, model.context = visit.page, 6000
    text = "word " * 4000
    page.evaluate(CHANGES)
    say(page, text)
    answered(page)
    assert page.evaluate("window.changes") < 150
    assert model.asked[0][0][0]["content"] == text.strip()


def test_a_long_answer_is_drawn_more_rarely_than_it_comes(visit: Visit, model: FakeModel) -> None:
    page, model.context, model.sampling = visit.page, 6000, type(model.sampling)(max_tokens=3000)
    model.reply = "begin" + "\n" * 100_000 + "end" + " word" * 2000
    page.evaluate("""() => { window.draws = 0; new MutationObserver(() => window.draws++).observe(document.body,
        {childList: true, subtree: true, characterData: true}); }""")
    say(page, "Hi")
    expect(text_of(answered(page))).to_contain_text("word word")
    assert model.made >= 2000 and page.evaluate("window.draws") < 400


def test_a_chosen_model_that_is_gone_gives_way_to_the_first(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    page.evaluate("localStorage['gptwright.settings'] = JSON.stringify({model: 'gone', temperature: 7})")
    page.reload()
    say(page, "Hi")
    expect(text_of(answered(page))).to_have_text(model.reply)


def test_a_server_with_keys_asks_for_one(browser: Browser, serve: Any, model: FakeModel, store: Store) -> None:
    app = create_app({model.name: model}, store, keys={"anna": "secret"})  # pyright: ignore[reportArgumentType]
    with serve(app) as address:
        visit = Visit(browser, address)
        for key in ("schlüssel", "secret"):
            expect(visit.page.get_by_role("alert")).to_contain_text("API key")
            visit.page.get_by_label("API key").fill(key)
            press(visit.page, "Log in")
        say(visit.page, "x")
        answered(visit.page)
        visit.expected("401")
        visit.close()


def test_classifiers_alone_write_nothing_and_the_page_says_so(browser: Browser, serve: Any, store: Store) -> None:
    with serve(create_app({}, store)) as address:
        visit = Visit(browser, address)
        expect(visit.page.get_by_role("alert")).to_contain_text("/v1/moderations")
        box(visit.page).fill("x")
        expect(visit.page.get_by_role("button", name="Send")).to_be_disabled()
        visit.close()
