"""The page as a person uses it: chat, probabilities, attention, training; by keys, on a phone, in Chinese; and that no
text of a run becomes more than text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.pipelines.pages.conftest import opened

from choice import AXE
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.tokenizers.tokenizer import Tokenizer
from printed import wrong_on_paper

pytestmark = pytest.mark.browser
PAGES = Path(__file__).parents[2] / "serving/pages"
HOSTILE: list[str] = [text for text in json.loads((PAGES / "hostile_texts.json").read_text())["texts"] if text.strip()]
BAD = "</script><img src=x onerror=window.__pwned=1><script>window.__pwned=1</script>"
REPORT: dict[str, Any] = {
    "run": "start", "headline": "A chat model", "machine": "Linux", "facts": [("time", "4 min"), (BAD, BAD)],
    "figures": [
        {"title": "Pretraining", "unit": "bits a byte", "xName": "step", "digits": 2, "xs": [1, 9], "ys": [0.0, 3.0],
         "ticks": [0.0, 1.0, 2.0], "curves": [
            {"name": "training", "tone": "b", "line": [[1, 3.0], [9, 1.0]], "raw": [[1, 3.0], [9, 1.0]], "dots": False},
            {"name": BAD, "tone": "a", "line": [[1, 2.0], [9, 1.5]], "raw": [], "dots": True}]},
    ],
    "tables": [{"title": BAD, "note": "n", "columns": ["sft", BAD],
                "rows": [{"name": BAD, "note": "", "cells": [{"text": BAD, "interval": "0 to 1"}] * 2}]}],
    "asked": [{"stage": "sft", "question": BAD, "answer": BAD}],
}  # fmt: skip


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(temperature=0.0, max_tokens=8)))


@pytest.fixture
def page(browser: Browser, model: Model, tmp_path: Path) -> Iterator[Page]:
    with opened(browser, model, tmp_path / "page.html", report=REPORT, prompts=("the cat?", "the dog?")) as found:
        yield found


def ask(page: Page, text: str, *, zh: bool = False) -> None:
    box = page.get_by_role("textbox", name="写给它" if zh else "Write to it")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_role("button", name="发送" if zh else "Send")).to_be_visible()


def test_what_it_says_is_what_the_model_says(page: Page, model: Model) -> None:
    page.get_by_role("button", name="the cat?").click()
    expect(page.locator(".question")).to_have_text("the cat?")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    ask(page, "the mat")
    expect(page.locator(".question")).to_have_count(2)
    expect(page.locator(".answer")).to_have_count(2)


def test_a_token_is_chosen_by_pointer_and_keys(page: Page) -> None:
    ask(page, "the cat")
    page.get_by_role("button", name="Probabilities of tokens").click()
    tokens = page.get_by_role("slider", name="Probabilities of tokens")
    expect(page.locator("li meter")).to_have_count(5)
    tokens.focus()
    page.keyboard.press("ArrowRight")
    expect(tokens).to_have_attribute("aria-valuenow", "1")
    tokens.locator("span").first.click()
    expect(tokens).to_have_attribute("aria-valuenow", "0")


def test_the_last_answer_is_looked_at(page: Page) -> None:
    page.get_by_role("button", name="Inside").click()
    expect(page.get_by_text("Ask something in the chat first")).to_be_visible()
    page.get_by_role("button", name="Chat").click()
    ask(page, "the cat")
    page.get_by_role("button", name="Inside").click()
    page.get_by_role("button", name="Layer 2, head 1", exact=True).click()
    expect(page.locator("figcaption")).to_have_text("Layer 2, head 1")
    expect(page.get_by_role("slider", name="The text")).to_contain_text("<|user|>the cat<|end|><|assistant|>")


def test_how_it_learned(page: Page) -> None:
    page.get_by_role("button", name="Training").click()
    expect(page.get_by_role("img", name="Pretraining, bits a byte")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("4 min")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("img", name="预训练, 每字节比特")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"


def test_every_room_on_paper(page: Page) -> None:
    page.get_by_role("button", name="the cat?").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    for number in range(3):
        page.emulate_media(media="screen")
        page.get_by_role("navigation").get_by_role("button").nth(number).click()
        expect(page.locator("[role=status]")).to_have_count(0)
        assert wrong_on_paper(page) == [], number


def test_settings_are_followed_and_a_conversation_begins_anew(page: Page) -> None:
    page.get_by_text("Settings").click()
    page.get_by_label("Longest answer").fill("3")
    page.get_by_label("What it is told before").fill("the sea")
    ask(page, "the cat")
    page.get_by_role("button", name="Inside").click()
    expect(page.get_by_role("slider", name="The text")).to_contain_text("<|system|>the sea<|end|><|user|>the cat")
    page.get_by_role("button", name="Chat").click()
    page.get_by_text("Settings").click()
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".question")).to_have_count(0)


def test_a_question_longer_than_the_context_is_refused_and_an_old_one_forgotten(page: Page) -> None:
    for _ in range(6):
        ask(page, "the cat sat on the mat and the dog")
    expect(page.locator(".answer")).to_have_count(6)
    ask(page, "abcdefgh " * 40)
    expect(page.get_by_role("alert")).to_contain_text("longer than the model can read")
    ask(page, "the cat")
    expect(page.locator(".answer")).to_have_count(7)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_escape_stops_an_answer(browser: Browser, network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    banned = dict.fromkeys(tokenizer.stop_ids, -100.0)
    slow = Sampling(temperature=0.0, max_tokens=60, logit_bias=banned)
    endless = Model(network, tokenizer, "tiny", GenerationConfig(slow, {"temperature": 0.0}))
    with opened(browser, endless, tmp_path / "page.html") as page:
        page.evaluate("""() => {
          const call = run.engine.call.bind(run.engine);
          run.engine.call = async (...given) => {
            await new Promise((done) => (window.step = done));
            return call(...given);
          };
        }""")
        box = page.get_by_role("textbox", name="Write to it")
        box.fill("the cat")
        box.press("Enter")
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.keyboard.press("Escape")
        page.evaluate("window.step()")
        expect(page.get_by_text("Stopped.")).to_be_visible()
        expect(page.get_by_role("button", name="Send")).to_be_visible()


@pytest.mark.axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("locale", "width"), [("en-GB", 1280), ("zh-CN", 360)])
def test_for_eyes_fingers_and_screen_readers(
    browser: Browser, model: Model, tmp_path: Path, scheme: Any, locale: str, width: int
) -> None:
    options: dict[str, Any] = {"color_scheme": scheme, "locale": locale, "viewport": {"width": width, "height": 720}}
    rooms = ("对话", "内部", "训练") if locale == "zh-CN" else ("Chat", "Inside", "Training")
    with opened(browser, model, tmp_path / "page.html", report=REPORT, **options) as page:
        for path in (AXE, PAGES / "measured.js"):
            page.evaluate(path.read_text(encoding="utf-8"))
        ask(page, "the cat", zh=locale == "zh-CN")
        found = list[str]()
        for room in rooms:
            page.get_by_role("button", name=room, exact=True).click()
            expect(page.locator("section, form").first).to_be_visible()
            found += [f"{room}: {one}" for one in page.evaluate("() => measured.rules()")]
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [f"{room}: {wide} pixels wide"] if wide > width else []
        assert not found, "\n".join(found)


def test_no_text_of_a_run_becomes_more_than_text(
    browser: Browser, network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = Model(network, tokenizer, BAD)
    report = REPORT | {"run": BAD, "asked": [{"stage": t, "question": t, "answer": t} for t in HOSTILE]}
    with opened(browser, model, tmp_path / "page.html", report=report, prompts=tuple(HOSTILE), name=BAD) as page:
        expect(page.locator("h1")).to_have_text(BAD)
        expect(page.locator(".prompts button")).to_have_count(len(HOSTILE))
        ask(page, BAD)
        page.get_by_role("button", name="Training").click()
        expect(page.locator("dl.asked dt")).to_have_count(len(HOSTILE))
        assert page.evaluate("window.__pwned") is None
        assert page.locator("img, iframe, object, embed, script:not([id=data]) ~ script ~ script").count() == 0
