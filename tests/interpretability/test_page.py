"""The page in Chromium: what stands in it, that it asks nobody for anything, and that a text cannot become a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.models.test_vision_language import IMAGE, ids_of, seeing

from gptwright.images.named import drawn_uri
from gptwright.interpretability.inside import Stage, inside
from gptwright.interpretability.page import page
from gptwright.interpretability.sight import Sight
from gptwright.interpretability.steps import finished
from gptwright.interpretability.translation import inside_translation
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.transformer import TransformerConfig
from gptwright.tokenizers.tokenizer import Tokenizer
from printed import wrong_on_paper

pytestmark = pytest.mark.browser
HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1> the cat sat"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def seen(browser: Browser, network: GPT2, tokenizer: Tokenizer, tmp_path: Path, faults: list[str]) -> Iterator[Page]:
    """The page of a hostile text, whose tokens are cut to what the context holds; two stages beside it."""
    ids = tokenizer.encode(HOSTILE)[: network.config.context]
    view = finished(inside(network, ids, lambda id: tokenizer.decode([id]), [Stage("<b>sft</b>", network)]))
    made = page(view | {"model": "<i>tiny</i>", "about": "", "note": HOSTILE}, HOSTILE)
    file = tmp_path / "see.html"
    file.write_text(made.html, encoding="utf-8")
    context = browser.new_context(locale="en-GB")
    opened = context.new_page()
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    context.on("request", lambda request: faults.append(request.url) if request.url != file.as_uri() else None)
    opened.goto(file.as_uri())
    expect(opened.locator("h1")).to_have_text("<i>tiny</i>")
    yield opened
    context.close()
    assert faults == []


def test_what_stands_there(seen: Page) -> None:
    for title in ("The text", "Attention", "After each layer", "What heads do", "Nearest tokens in the embedding",
                  "The same text in other stages of the run", "The forward pass in shapes"):  # fmt: skip
        expect(seen.get_by_role("heading", name=title)).to_be_visible()
    assert seen.evaluate("window.pwned") is None and seen.locator("img").count() == 0
    expect(seen.locator("main")).to_contain_text("layers/attention.py")
    expect(seen.locator(".notice")).to_have_text(HOSTILE)


def test_a_head_and_a_token_are_chosen_by_pointer_and_keys(seen: Page) -> None:
    seen.get_by_role("button", name="Layer 2, head 1", exact=True).click()
    expect(seen.locator("figcaption").first).to_have_text("Layer 2, head 1")
    text = seen.get_by_role("slider", name="The text")
    last = int(text.get_attribute("aria-valuenow") or 0)
    text.focus()
    seen.keyboard.press("ArrowLeft")
    expect(text).to_have_attribute("aria-valuenow", str(last - 1))
    expect(seen.locator("section[aria-labelledby=lens] th.chosen")).to_have_count(1)
    seen.get_by_role("button", name="is taken from by").click()
    expect(seen.get_by_role("button", name="is taken from by")).to_have_attribute("aria-pressed", "true")


def test_the_weights_drawn_are_the_networks(seen: Page, network: GPT2, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(HOSTILE)[: network.config.context]
    row = network.trace(torch.tensor([ids])).attention[0][0, 0, -1]
    shown = seen.locator("section[aria-labelledby=attention] .tokens span").evaluate_all(
        "spans => spans.map(span => Number.parseFloat(span.style.getPropertyValue('--weight')))"
    )
    assert len(shown) == len(ids) and shown == pytest.approx((70 * row).tolist(), abs=0.7)


def test_chinese_dark_and_a_phone(seen: Page) -> None:
    seen.set_viewport_size({"width": 360, "height": 700})
    seen.emulate_media(color_scheme="dark")
    seen.get_by_role("button", name="中文").click()
    expect(seen.get_by_role("heading", name="每一层之后")).to_be_visible()
    assert seen.evaluate("document.documentElement.lang") == "zh-Hans"
    assert seen.evaluate("document.documentElement.scrollWidth") <= 360


def test_on_paper(seen: Page) -> None:
    assert wrong_on_paper(seen) == []


def test_pictures_of_attention_are_lighter_where_the_page_is_dark(seen: Page) -> None:
    """At once, without being drawn anew; on paper they are as on a light page."""
    colour = """() => getComputedStyle(document.querySelector("canvas.matrix")).filter"""
    seen.emulate_media(color_scheme="light")
    assert seen.evaluate(colour) == "none"
    seen.get_by_role("button", name="Light or dark").click()
    assert "invert" in seen.evaluate(colour)
    seen.emulate_media(media="print")
    assert seen.evaluate(colour) == "none"


def test_a_translation_names_what_looks_into_the_source(browser: Browser, tmp_path: Path) -> None:
    sizes = TransformerConfig(vocab=60, context=32, width=24, heads=4, layers=2, hidden=40)
    view = finished(inside_translation(build(sizes).eval(), [5, 6, 7, 2], [2, 8, 9, 2], lambda id: f" word{id}"))
    file = tmp_path / "see.html"
    file.write_text(page(view | {"model": "tiny", "about": "", "note": ""}, "tiny").html, encoding="utf-8")
    opened = browser.new_page(locale="en-GB")
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(file.as_uri())
    opened.get_by_role("button", name="Decoder, layer 2, into the source, head 3", exact=True).click()
    expect(opened.locator("figcaption").first).to_have_text("Decoder, layer 2, into the source, head 3")
    text = opened.get_by_role("slider", name="The text")
    expect(opened.get_by_role("heading", name="Expected next")).to_be_visible()
    for _ in range(7):
        text.press("ArrowLeft")
    expect(text).to_have_attribute("aria-valuenow", "0")
    expect(opened.get_by_role("heading", name="Expected next")).to_have_count(0)
    opened.close()
    assert faults == []


def test_the_patches_that_a_word_looks_at_are_drawn_over_the_picture(browser: Browser, tmp_path: Path) -> None:
    network = seeing(GPT2Config(vocab=50, context=32, width=16, heads=2, layers=2))
    pixels, uri = torch.randn(1, 3, 8, 8), drawn_uri(Image.new("RGB", (8, 8), (9, 99, 199)))
    ids, sight = ids_of([1, IMAGE, 2, 3]), Sight(network, pixels, [uri])
    view = finished(inside(network.decoder, ids[0].tolist(), lambda id: f" word{id}", sight=sight))
    file = tmp_path / "see.html"
    file.write_text(page(view | {"model": "tiny", "about": "", "note": ""}, "tiny").html, encoding="utf-8")
    opened = browser.new_page(locale="en-GB")
    faults: list[str] = []
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(file.as_uri())
    expect(opened.locator("figcaption").first).to_have_text(
        "Decoder, layer 1, head 1"
    )  # the decoder's, where the text looks
    picture = opened.locator("section[aria-labelledby=attention] .picture")
    assert picture.locator("img").evaluate("image => image.naturalWidth") == 8, "the policy lets it be drawn"
    drawn = picture.locator("i").evaluate_all(
        "cells => cells.map(cell => Number.parseFloat(cell.style.getPropertyValue('--weight')))"
    )
    row = network.decoder.trace(ids, sight.embeddings(ids)).attention[0][0, 0, -1, 1:5]
    steps = (255 * row).round()
    assert drawn == pytest.approx((80 * steps / steps.max()).tolist(), abs=0.51)
    expect(opened.locator("main")).to_contain_text(f"Picture 1: {100 * float(steps.sum()) / 255:.0f} % of it")
    picture.locator("i").nth(2).click()
    slider = opened.get_by_role("slider", name="The text")
    expect(slider).to_have_attribute("aria-valuenow", "3")
    expect(slider).to_have_attribute("aria-valuetext", "picture 1, row 2, column 1")
    expect(opened.locator("section[aria-labelledby=lens] th.chosen")).to_have_text("▦1:2,1")
    opened.get_by_role("button", name="Image encoder, layer 2, head 1", exact=True).click()
    expect(opened.locator("figcaption").first).to_have_text("Image encoder, layer 2, head 1")
    opened.locator("section[aria-labelledby=heads] .map button").first.click()
    expect(opened.locator("figcaption").first).to_have_text("Decoder, layer 1, head 1")
    opened.close()
    assert faults == []


def test_in_a_notebook_it_is_a_frame_of_its_own(seen: Page) -> None:
    shown = page({"text": '"<'}, 'a "title"')._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;') and shown.count('"') == 8
