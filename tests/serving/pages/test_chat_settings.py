"""How answers are drawn, and by which model."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.chat import answered, answers, press, say, text_of
from tests.serving.pages.conftest import Visit

from gptwright.serving.api import create_app
from gptwright.store.database import Store

pytestmark = pytest.mark.browser


def test_they_reach_the_model_and_are_kept(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    press(page, "Settings")
    expect(page.get_by_role("textbox", name="Temperature")).to_have_attribute("placeholder", "0.7")
    for name, value in {
        "Temperature": "0.72",
        "Top-p": "0.99",
        "Top-k": "40",
        "Longest answer": "3",
        "Seed": "7",
    }.items():
        page.get_by_role("textbox", name=name).fill(value)
    page.keyboard.press("Escape")
    page.reload()
    say(page, "x")
    expect(answered(page)).to_contain_text("Longest answer reached")
    sampling = model.asked[0][1]
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens) == (0.72, 0.99, 40, 3)
    assert model.seeds == [7] or sampling.seed == 7


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("Temperature", "9", "from 0 to 2"), ("Top-p", "much", "from 0 to 1"), ("Longest answer", "99999", "from 1 to 64"),
     ("Longest answer", "1.5", "whole number"), ("Seed", "-1", "whole number")],
)  # fmt: skip
def test_what_is_wrong_is_said_and_stays(visit: Visit, model: FakeModel, name: str, value: str, says: str) -> None:
    page = visit.page
    press(page, "Settings")
    field = page.get_by_role("textbox", name=name)
    field.fill(value)
    expect(page.get_by_role("alert")).to_contain_text(says)
    page.keyboard.press("Escape")
    say(page, "x")
    expect(text_of(answered(page))).to_have_text(model.reply)
    press(page, "Settings")
    expect(field).to_have_value(value)
    press(page, "Reset all")
    expect(field).to_have_value("")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_system_prompt_begins_the_conversation(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    press(page, "Settings")
    page.get_by_role("textbox", name="System prompt").fill("Be brief.")
    page.keyboard.press("Escape")
    for turn in range(2):
        say(page, "x")
        answered(page, turn + 1)
    assert model.asked[-1][0][0] == {"role": "system", "content": "Be brief."}
    page.reload()
    page.get_by_text("System prompt").click()
    expect(page.get_by_text("Be brief.")).to_be_visible()


def test_another_model_is_chosen_by_its_card(browser: Browser, serve: Any, model: FakeModel, store: Store) -> None:
    second = FakeModel(name="second", context=2048, reply="I am the second.")
    with serve(create_app({"tiny": model, "second": second}, store)) as address:  # pyright: ignore[reportArgumentType]
        visit = Visit(browser, address)
        page = visit.page
        press(page, "tiny")
        card = page.get_by_role("dialog").get_by_role("button", name="second")
        expect(card).to_contain_text("reads 2,048 tokens")
        expect(card).to_contain_text("temperature 0.7, answers of up to 32 tokens")
        card.click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        say(page, "who?")
        expect(text_of(answered(page))).to_have_text("I am the second.")
        expect(answers(page).get_by_role("heading")).to_have_text("second")
        page.reload()
        expect(page.get_by_role("button", name="second")).to_be_visible()
        visit.close()
