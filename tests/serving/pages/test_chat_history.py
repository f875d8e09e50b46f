"""One's conversations beside the chat: named, filed, pinned, searched, deleted and taken back."""

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.chat import answered, answers, kept, press, say
from tests.serving.pages.conftest import Visit

from gptwright.store.database import Store
from gptwright.store.messages import add_conversation, add_message

pytestmark = pytest.mark.browser


def side(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Your chats")


def titles(page: Page) -> Locator:
    return side(page).locator("a > span")


def more(page: Page, title: str) -> None:
    side(page).get_by_role("link", name=title).hover()
    press(page, f"More about {title}")


def make(store: Store, *titles: str, text: str = "Hello") -> None:
    with store.write() as session:
        for title in titles:
            one = add_conversation(session, owner="", title=title)
            one.leaf = add_message(session, one.id, None, "user", text).id


def test_a_chat_is_named_by_its_first_question(visit: Visit) -> None:
    page = visit.page
    say(page, "What is the name of the big river that flows through the middle of London?\nPlease be brief.")
    answered(page)
    expect(titles(page)).to_have_text(["What is the name of the big river that flows through the…"])


def test_a_new_chat_destroys_nothing(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    say(page, "first")
    answered(page)
    first = kept(page)
    press(page, "New chat")
    expect(answers(page)).to_have_count(0)
    say(page, "second")
    answered(page)
    expect(titles(page)).to_have_text(["second", "first"])
    side(page).get_by_role("link", name="first").click()
    expect(page.locator("li.user .said")).to_have_text(["first"])
    assert kept(page) == first
    page.go_back()
    expect(page.locator("li.user .said")).to_have_text(["second"])
    say(page, "third")
    answered(page, 2)
    page.reload()
    expect(titles(page)).to_have_text(["second", "first"])
    assert [m["content"] for m in model.asked[-1][0]] == ["second", model.reply, "third"]


def test_renamed_filed_and_pinned(visit: Visit, store: Store) -> None:
    page = visit.page
    make(store, "cats", "dogs", "birds")
    page.reload()
    expect(titles(page)).to_have_text(["birds", "dogs", "cats"])
    more(page, "cats")
    press(page, "Pin")
    expect(titles(page)).to_have_text(["cats", "birds", "dogs"])
    more(page, "dogs")
    press(page, "Rename or file")
    page.get_by_label("Title").fill("Old dogs")
    page.get_by_label("Folder").fill("Animals")
    press(page, "Save")
    expect(side(page).get_by_role("heading")).to_have_text(["Pinned", "Animals", "Today"])
    page.reload()
    expect(titles(page)).to_have_text(["cats", "Old dogs", "birds"])
    more(page, "cats")
    press(page, "Unpin")
    expect(side(page).get_by_role("heading")).to_have_text(["Animals", "Today"])


def test_deleted_and_taken_back(visit: Visit) -> None:
    page = visit.page
    say(page, "first")
    answered(page)
    more(page, "first")
    press(page, "Delete")
    expect(titles(page)).to_have_count(0)
    expect(answers(page)).to_have_count(0)
    press(page, "Undo")
    expect(titles(page)).to_have_text(["first"])
    answered(page)
    page.reload()
    answered(page)


def test_every_word_of_every_chat_is_found(visit: Visit, store: Store) -> None:
    page = visit.page
    make(store, "about rivers", text="The Thames flows through London.")
    make(store, "about seas", text="大海很蓝")
    page.reload()
    box = page.get_by_role("searchbox")
    for words, found in {"london thames": "about rivers", "海很": "about seas", "SEAS": "about seas"}.items():
        box.fill(words)
        expect(titles(page)).to_have_text([found])
    box.fill("london")
    expect(side(page).locator("small")).to_have_text("The Thames flows through London.")
    side(page).get_by_role("link").click()
    expect(page.locator("li.user .said")).to_have_text("The Thames flows through London.")
    box.fill("nowhere")
    expect(side(page).get_by_text("Nothing was found.")).to_be_visible()
    box.fill("")
    expect(side(page).get_by_role("heading")).to_have_text(["Today"])


def test_older_chats_come_when_one_scrolls(visit: Visit, store: Store) -> None:
    page = visit.page
    make(store, *[f"chat {at}" for at in range(120)])
    page.reload()
    expect(titles(page).first).to_have_text("chat 119")
    for shown in (100, 120):
        titles(page).last.scroll_into_view_if_needed()
        expect(titles(page)).to_have_count(shown)
    expect(titles(page).last).to_have_text("chat 0")


def test_a_name_that_turns_letters_turns_only_its_own(visit: Visit, store: Store) -> None:
    page = visit.page
    make(store, "pay \u202etxt.exe", "שלום")
    page.reload()
    expect(titles(page)).to_have_count(2)
    styles = titles(page).evaluate_all(
        "all => all.map(e => [getComputedStyle(e).unicodeBidi, getComputedStyle(e).direction])"
    )
    assert styles == [["isolate", "rtl"], ["isolate", "ltr"]]


def test_a_chat_that_is_not_there(visit: Visit) -> None:
    visit.page.goto(f"{visit.address}/#/chat/nothing")
    expect(visit.page.get_by_role("alert")).to_contain_text("no longer there")
    press(visit.page, "New chat")
    say(visit.page, "Hi")
    answered(visit.page)
    visit.expected("404")
