"""The labelling page: what a labeller does with a task, by mouse, finger and keys, and what outlives the page."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.pages.conftest import Visit

from gptwright.store.database import Store
from gptwright.store.labels import FLAGS, labels
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.tables import Place
from gptwright.store.tasks import add_task

pytestmark = pytest.mark.browser


class Made(NamedTuple):
    """A task, the question, and its answers by their text."""

    task: str
    asked: str
    answers: dict[str, str]


Queue = Callable[..., Made]


@pytest.fixture
def queue(store: Store) -> Queue:
    """Adds a task; of the question for what is ranked or written, of the last answer for what is judged."""

    def add(kind: str, *answers: str, asked: str = "Why is the sky blue?", **options: Any) -> Made:
        with store.write() as session:
            talk = add_conversation(session)
            question = add_message(session, talk.id, None, "user", asked).id
            ids = {text: add_message(session, talk.id, question, "assistant", text).id for text in answers}
            about = question if kind in ("ranking", "preference", "demonstration") else ids[answers[-1]]
            return Made(add_task(session, kind, about, **options).id, question, ids)

    return add


@pytest.fixture
def desk(visit: Visit) -> Iterator[Callable[[], Page]]:
    """Opens the room, once there is something to label."""

    def opened() -> Page:
        visit.page.goto(visit.address + "/#/label")
        expect(visit.page.locator("main h2")).to_be_visible()
        return visit.page

    yield opened


def said(store: Store, *kinds: str) -> list[Any]:
    with store.read() as session:
        return [label.value for label in labels(session, *kinds)]


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()


def finished(page: Page) -> None:
    expect(page.get_by_text("Nothing waits to be labelled.")).to_be_visible()


def order(page: Page) -> list[str]:
    return page.locator("ol .text > p").all_text_contents()


def ranked(store: Store, made: Made) -> dict[str, int]:
    """Ranks by text of the only ranking."""
    [value] = said(store, "ranking")
    texts = {id: text for text, id in made.answers.items()}
    return {texts[id]: rank for id, rank in zip(value["answers"], value["ranks"], strict=True)}


def test_ranking_by_keys_alone_with_ties(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("ranking", "one", "two", "three", "four")
    page = desk()
    first, second, third, fourth = order(page)
    page.locator(".grip").nth(3).focus()
    page.keyboard.press("1")
    assert order(page) == [fourth, first, second, third]
    expect(page.locator("[aria-live]")).to_contain_text("has rank 1")
    page.keyboard.press("ArrowDown")
    assert order(page) == [first, fourth, second, third]
    page.keyboard.press("=")
    assert page.evaluate("document.activeElement.matches('.grip')")
    page.keyboard.press("Control+Enter")
    finished(page)
    assert ranked(store, made) == {first: 1, fourth: 1, second: 2, third: 3}


def test_ranking_by_dragging(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("ranking", "one", "two", "three")
    page = desk()
    first, second, third = order(page)
    grip, top = page.locator(".grip").nth(2).bounding_box(), page.locator("ol li").first.bounding_box()
    assert grip and top
    page.mouse.move(grip["x"] + 10, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(grip["x"] + 10, top["y"] + 40, steps=8)
    page.mouse.move(grip["x"] + 10, top["y"] + 4, steps=8)
    page.mouse.up()
    expect(page.locator("ol .text > p").first).to_have_text(third)
    submit(page)
    finished(page)
    assert ranked(store, made) == {third: 1, first: 2, second: 3}


def test_ranking_by_a_finger(store: Store, queue: Queue, browser: Browser, address: str) -> None:
    made = queue("ranking", "one", "two", "three")
    visit = Visit(browser, address, "/#/label", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = visit.page
    expect(page.locator("main h2")).to_be_visible()
    first, second, third = order(page)
    page.locator(".grip").nth(2).scroll_into_view_if_needed()
    grip, top = page.locator(".grip").nth(2).bounding_box(), page.locator("ol li").first.bounding_box()
    assert grip and top
    finger = visit.context.new_cdp_session(page)

    def touch(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = grip["x"] + 10, grip["y"] + 10
    scrolled = page.evaluate("document.querySelector('main').scrollTop")
    touch("touchStart", x, y)
    for step in range(1, 17):
        touch("touchMove", x, y + (top["y"] + 4 - y) * step / 16)
    touch("touchEnd")
    expect(page.locator("ol .text > p").first).to_have_text(third)
    assert page.evaluate("document.querySelector('main').scrollTop") == scrolled  # a drag is no scroll
    submit(page)
    finished(page)
    assert ranked(store, made) == {third: 1, first: 2, second: 3}
    visit.close()


def test_an_order_that_nobody_touched_is_asked_about(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("ranking", "one", "two")
    page = desk()
    shown = order(page)
    submit(page)
    expect(page.get_by_role("alert")).to_contain_text("moved nothing")
    assert said(store) == []
    submit(page)
    finished(page)
    assert ranked(store, made) == {text: rank for rank, text in enumerate(shown, 1)}


def test_nine_answers_are_ranked(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("ranking", *(f"answer {number}" for number in range(9)))
    page = desk()
    last = order(page)[-1]
    page.locator(".grip").nth(8).press("1")
    submit(page)
    finished(page)
    found = ranked(store, made)
    assert found[last] == 1 and sorted(found.values()) == list(range(1, 10))


def test_a_preference_has_a_strength(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("preference", "one", "two")
    page = desk()
    shown = page.locator(".pair .text").all_text_contents()
    page.keyboard.press("6")
    submit(page)
    finished(page)
    assert said(store) == [{"answers": [made.answers[text] for text in shown], "strength": -2}]


def test_a_rating_from_1_to_7_says_what_its_ends_mean(store: Store, queue: Queue, desk: Any) -> None:
    queue("rating", "Because of Rayleigh.")
    page = desk()
    expect(page.get_by_text("1 is very bad · 4 is acceptable · 7 is excellent")).to_be_visible()
    page.keyboard.press("6")
    expect(page.get_by_role("radio", name="6")).to_be_checked()
    page.keyboard.press("c")
    page.keyboard.press("Control+Enter")
    finished(page)
    assert said(store) == [6, ["hallucination"]]


def test_the_eleven_flags(store: Store, queue: Queue, desk: Any) -> None:
    queue("flags", "Go away.")
    queue("flags", "Fine.")
    page = desk()
    expect(page.locator("fieldset input[type=checkbox]")).to_have_count(12)
    for key in "abcdefghijk":
        page.keyboard.press(key)
    submit(page)
    expect(page.get_by_text("Fine.", exact=True)).to_be_visible()
    submit(page)
    expect(page.get_by_role("alert")).to_contain_text("Say first")
    page.get_by_label("None of these").check()
    submit(page)
    finished(page)
    assert said(store) == [list(FLAGS), []]


def test_a_thumb(store: Store, queue: Queue, desk: Any) -> None:
    queue("thumb", "Because.")
    page = desk()
    page.keyboard.press("2")
    submit(page)
    finished(page)
    assert said(store) == ["down"]


def written(store: Store) -> list[str]:
    from gptwright.store.exports import FORMATS

    with store.read() as session:
        return [line["messages"][-1]["content"] for line in FORMATS["demonstrations"](session)]


def test_a_demonstration_is_written(store: Store, queue: Queue, desk: Any) -> None:
    queue("demonstration")
    page = desk()
    page.get_by_label("Your answer").fill("光线被空气散射。")
    page.keyboard.press("Control+Enter")
    finished(page)
    assert written(store) == ["光线被空气散射。"]


def test_an_answer_is_revised(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("edit", "Becuase.")
    page = desk()
    expect(page.get_by_label("Your answer")).to_have_value("Becuase.")
    page.get_by_label("Your answer").fill("Because.")
    submit(page)
    finished(page)
    with store.read() as session:
        [label] = labels(session, "edit")
        assert label.message_id == made.answers["Becuase."]


def test_comments_on_words_that_are_selected(store: Store, queue: Queue, desk: Any) -> None:
    made = queue("rating", "😀 The sky is green.")
    page = desk()
    page.locator(".judged .text").evaluate(
        """(element) => { const range = document.createRange(), node = [...element.childNodes].find((one) => one.data);
        const at = node.data.indexOf("green"); range.setStart(node, at); range.setEnd(node, at + 5);
        getSelection().removeAllRanges(); getSelection().addRange(range); }"""
    )
    page.get_by_role("button", name="Comment on words").click()
    expect(page.get_by_label("Which words")).to_have_value("green")
    page.get_by_label("What about them").fill("It is blue.")
    page.get_by_label("What about them").press("Enter")
    expect(page.locator("mark")).to_have_text("green")
    page.get_by_role("button", name="Comment on words").click()
    page.get_by_label("Which words").fill("The sky")
    page.get_by_label("What about them").fill("whose?")
    page.get_by_label("What about them").press("Enter")
    page.get_by_label("Comment on the whole").fill("Short.")
    page.get_by_role("radio", name="2").check()
    submit(page)
    finished(page)
    with store.read() as session:
        found = [(label.message_id, label.value) for label in labels(session, "comment")]
    answer = made.answers["😀 The sky is green."]
    assert found == [(answer, "Short."), (answer, {"span": [13, 18], "text": "It is blue."}),
                     (answer, {"span": [2, 9], "text": "whose?"})]  # fmt: skip


@pytest.mark.parametrize(("key", "kind"), [("s", "skip"), ("u", "unsure")])
def test_a_task_is_left_with_a_reason(store: Store, queue: Queue, desk: Any, key: str, kind: str) -> None:
    queue("ranking", "one", "two")
    page = desk()
    page.locator("h2").press(key)
    page.get_by_label("Why?").fill("I do not know physics.")
    page.keyboard.press("Enter")
    finished(page)
    assert said(store, kind) == ["I do not know physics."]


def test_the_last_is_undone(store: Store, queue: Queue, desk: Any) -> None:
    queue("rating", "First.")
    queue("rating", "Second.")
    page = desk()
    page.get_by_role("radio", name="3").check()
    submit(page)
    expect(page.locator(".judged .text")).to_have_text("Second.")
    page.locator("h2").press("z")
    expect(page.locator(".judged .text")).to_have_text("First.")
    expect(page.get_by_role("radio", name="3")).to_be_checked()
    assert said(store) == []
    page.keyboard.press("5")
    submit(page)
    expect(page.locator(".judged .text")).to_have_text("Second.")
    assert said(store) == [5]


def test_what_is_half_done_outlives_a_reload(store: Store, queue: Queue, desk: Any) -> None:
    queue("edit", "Becuase.")
    page = desk()
    page.get_by_label("Your answer").fill("Because of")
    page.get_by_label("Comment on the whole").fill("typo")
    page.reload()
    expect(page.get_by_label("Your answer")).to_have_value("Because of")
    expect(page.get_by_label("Comment on the whole")).to_have_value("typo")
    submit(page)
    finished(page)
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.includes('label'))") == []


DENIED = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } })"""


def test_labelling_without_storage(store: Store, queue: Queue, browser: Browser, address: str) -> None:
    queue("edit", "Becuase.")
    visit = Visit(browser, address)
    visit.context.add_init_script(DENIED)
    page = visit.another("/#/label")
    page.get_by_label("Your answer").fill("Because.")
    submit(page)
    finished(page)
    assert len(said(store, "edit")) == 1
    visit.close()


def test_a_double_click_submits_once_and_a_lost_server_loses_nothing(
    store: Store, queue: Queue, desk: Any, visit: Visit
) -> None:
    queue("rating", "First.")
    page = desk()
    page.get_by_role("radio", name="3").check()
    page.route("**/submit", lambda route: route.abort())
    submit(page)
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/submit")
    page.get_by_role("button", name="Submit").dblclick()
    finished(page)
    assert said(store) == [3]
    visit.expected("ERR_FAILED")


def test_the_order_is_blind_and_each_labeller_s_own(queue: Queue, desk: Any) -> None:
    made = queue("ranking", *"abcdefghi")
    page = desk()
    assert sorted(order(page)) == list(made.answers) != order(page)


def test_guidelines_stand_beside_and_fold_on_a_phone(queue: Queue, desk: Any, browser: Browser, address: str) -> None:
    queue("rating", "First.", fields={"guidelines": "# Be fair\n\n<b>Not</b> *nice*."})
    page = desk()
    expect(page.locator("details h3")).to_have_text("Be fair")
    expect(page.locator("details").first).to_contain_text("<b>Not</b> nice.")
    phone = Visit(browser, address, "/#/label", viewport={"width": 360, "height": 700})
    expect(phone.page.locator("summary", has_text="Guidelines")).to_be_visible()
    expect(phone.page.locator("details h3")).to_be_hidden()
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.close()


def test_a_lease_is_shown_and_made_longer_by_work(store: Store, queue: Queue, visit: Visit) -> None:
    queue("edit", "Becuase.")
    visit.context.clock.install()
    page = visit.another("/#/label")
    expect(page.get_by_text("Yours for 30 min")).to_be_visible()
    with store.write() as session:
        session.query(Place).one().until -= 1200
    page.get_by_label("Your answer").press_sequentially("x")
    with page.expect_response("**/renew") as renewed:
        page.clock.fast_forward(61_000)
    assert renewed.value.json()["held"]
    with store.read() as session:
        place = session.query(Place).one()
        assert place.labeller == "" and not place.done


def test_gold_items_and_a_training_round_say_how_a_label_differs(queue: Queue, desk: Any) -> None:
    queue("rating", "Later.")
    queue("rating", "Known.", fields={"known": 7, "training": True}, priority=1.0)
    page = desk()
    expect(page.get_by_text("Training:")).to_be_visible()
    page.get_by_role("radio", name="4").check()
    submit(page)
    known = page.get_by_role("alert")
    expect(known).to_contain_text("50 % alike")
    expect(known.locator("dd")).to_have_text(["7", "4"])
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".judged .text")).to_have_text("Later.")
    expect(page.get_by_text("50 % as known")).to_be_visible()


def test_it_speaks_chinese(queue: Queue, desk: Any) -> None:
    queue("rating", "First.")
    page = desk()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("button", name="提交")).to_be_visible()
    expect(page.get_by_text("7 为极好")).to_be_visible()


def test_a_hostile_answer_stays_text(queue: Queue, desk: Any) -> None:
    queue(
        "rating",
        "<img src=x onerror=alert(1)><script>alert(2)</script>",
        fields={"guidelines": "<img src=x onerror=alert(3)>"},
    )
    expect(desk().locator(".judged .text")).to_contain_text("<script>alert(2)</script>")


def test_hints_of_keys_stand_on_the_page(queue: Queue, desk: Any) -> None:
    queue("preference", "one", "two")
    expect(desk().locator(".keys")).to_contain_text("Ctrl Enter submit")
