"""What a person does with an answer: rates it, edits it, looks into it, compares and ranks several."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.pages.answers import Traffic, ask
from tests.serving.pages.conftest import Visit

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.exports import demonstrations, rankings
from gptwright.store.labels import labels
from gptwright.tokenizers.tokenizer import Tokenizer

pytestmark = pytest.mark.browser


def said(store: Store, *kinds: str) -> list[Any]:
    with store.read() as session:
        return [label.value for label in labels(session, *kinds)]


@pytest.fixture
def traffic(visit: Visit) -> Traffic:
    return Traffic(visit.page)


def more(page: Page, name: str) -> None:
    answer = page.locator("li.assistant").last
    answer.get_by_role("button", name="More with this answer").click()
    answer.get_by_role("button", name=name).click()


def test_a_thumb_is_set_changed_and_taken_back_and_outlives_a_reload(
    visit: Visit, traffic: Traffic, store: Store
) -> None:
    page = visit.page
    answer = ask(page)
    good, bad = answer.get_by_role("button", name="Good answer"), answer.get_by_role("button", name="Bad answer")
    expect(answer.get_by_role("group", name="What is it?")).to_have_count(0)
    good.click()
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "true")
    traffic.rest()
    assert said(store, "thumb") == ["down"]
    page.reload()
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "false")
    traffic.rest()
    assert said(store, "thumb") == []


def test_clicks_in_a_row_end_as_the_page_shows(visit: Visit, traffic: Traffic, store: Store) -> None:
    page = visit.page
    answer = ask(page)
    up, down = [answer.get_by_role("button", name=f"{name} answer") for name in ("Good", "Bad")]
    for _ in range(4):
        page.evaluate("([a, b]) => { a.click(); b.click(); }", [up.element_handle(), down.element_handle()])
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    traffic.rest()
    assert said(store, "thumb") == ["up"]


def test_after_a_thumb_one_says_why(visit: Visit, traffic: Traffic, store: Store) -> None:
    page = visit.page
    answer = ask(page)
    answer.get_by_role("button", name="Bad answer").click()
    answer.get_by_role("button", name="Too long").click()
    expect(answer.get_by_role("button", name="Too long")).to_have_attribute("aria-pressed", "true")
    answer.get_by_role("textbox", name="In your words").fill("It goes on and on.")
    answer.get_by_role("button", name="Send", exact=True).click()
    traffic.rest()
    assert said(store, "reason") == ["tooLong"] and said(store, "comment") == ["It goes on and on."]
    answer.get_by_role("button", name="Bad answer").click()
    traffic.rest()
    assert said(store, "thumb", "reason", "comment") == []


def test_a_rating_that_is_refused_is_taken_back_and_said(visit: Visit) -> None:
    answer = ask(visit.page)
    visit.context.set_offline(True)
    answer.get_by_role("button", name="Good answer").click()
    expect(answer.get_by_role("alert")).to_contain_text("does not answer")
    expect(answer.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")
    visit.context.set_offline(False)
    visit.expected("ERR_INTERNET_DISCONNECTED")


def test_an_edited_answer_stands_beside_it_and_is_learned_from(visit: Visit, model: Any, store: Store) -> None:
    page = visit.page
    ask(page)
    more(page, "Edit the answer")
    page.get_by_role("textbox", name="As it should have been").fill("Good morning.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("li.assistant .markdown")).to_have_text("Good morning.")
    expect(page.locator("li.assistant")).to_contain_text("2/2")
    with store.read() as session:
        [ranking], [shown] = list(rankings(session)), list(demonstrations(session))
    assert (ranking["answers"], ranking["ranks"]) == (["Good morning.", model.reply], [1, 2])
    assert shown["messages"][-1] == {"role": "assistant", "content": "Good morning."}


def test_two_answers_are_compared_blind_and_named_afterwards(visit: Visit, store: Store) -> None:
    page = visit.page
    ask(page)
    more(page, "Two side by side")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Begin").click()
    both = dialog.get_by_role("region")
    expect(both).to_have_count(2)
    choice = dialog.get_by_role("group", name="Which is better?")
    expect(choice.get_by_role("button")).to_have_count(7)
    expect(both.first).not_to_contain_text("tiny")
    choice.get_by_role("button", name="B is much better").click()
    expect(both.first).to_contain_text("tiny")
    [value] = said(store, "preference")
    assert value["strength"] == -3 and len(set(value["answers"])) == 2
    choice.get_by_role("button", name="Both are equal").click()
    expect(choice.get_by_role("button", name="Both are equal")).to_have_attribute("aria-pressed", "true")
    assert [value["strength"] for value in said(store, "preference")] == [0]


def test_four_answers_are_ranked_by_keys(visit: Visit, store: Store) -> None:
    page = visit.page
    ask(page)
    more(page, "Rank four answers")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".grip")).to_have_count(4)
    dialog.locator(".grip").last.press("Home")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    [value] = said(store, "ranking")
    assert len(value["answers"]) == 4 and value["ranks"] == [2, 3, 4, 1]


@pytest.fixture
def real(browser: Browser, serve: Any, network: GPT2, tokenizer: Tokenizer, store: Store) -> Iterator[Visit]:
    """The page of a tiny network, which has log-probabilities of its own."""
    model = Model(network, tokenizer, "real", GenerationConfig.of(Sampling(max_tokens=6, temperature=1.0)))
    with serve(create_app({"real": model}, store)) as address:
        made = Visit(browser, address)
        expect(made.page.locator("nav a").first).to_be_visible()
        yield made
        made.close()


def test_how_likely_each_token_was_and_what_else_could_have_stood_there(real: Visit) -> None:
    page = real.page
    for _ in range(30):  # an answer may be one token
        tokens = ask(page, "the cat sat").locator(".tokens button")
        more(page, "Token probabilities")
        expect(tokens.first).to_be_visible()
        if tokens.count() > 1:
            break
    tokens.first.focus()
    expect(page.locator(".panel tbody tr").first).to_contain_text("%")
    assert page.locator(".panel tbody tr").count() in (5, 6)
    page.keyboard.press("ArrowRight")
    expect(tokens.nth(1)).to_be_focused()
    expect(tokens.nth(1)).to_have_attribute("aria-pressed", "true")


def test_what_is_part_of_a_character_is_told_by_its_bytes(real: Visit) -> None:
    page = real.page
    ask(page, "the cat sat")
    parts = [{"token": "\ufffd", "logprob": -1.0 - at, "bytes": [0xE9 + at]} for at in range(3)]
    newline = {"token": "\n", "logprob": -9.0, "bytes": [10]}
    told = {"model": "real", "start": 0, "content": [parts[0] | {"top_logprobs": [*parts, newline]}]}
    page.route("**/api/answers/*/tokens", lambda route: route.fulfill(json=told))
    more(page, "Token probabilities")
    page.locator(".tokens button").first.focus()
    expect(page.locator(".panel tbody th")).to_have_text(["\\xe9", "\\xea", "\\xeb", "↵"])


def test_what_the_model_really_read(real: Visit) -> None:
    page = real.page
    ask(page, "the cat sat")
    more(page, "What the model read")
    expect(page.get_by_role("region", name="What the model read")).to_contain_text("the cat sat")
    assert page.locator(".panel mark").count() >= 1


def test_a_look_inside_opens_in_a_tab_of_its_own_and_is_saved(real: Visit) -> None:
    page = real.page
    ask(page, "the cat sat")
    more(page, "Look inside")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open in a new tab").click()
    tab = opened.value
    expect(tab.get_by_role("heading", name="What heads do")).to_be_visible()
    expect(tab.get_by_role("slider", name="The text")).to_contain_text("the cat sat")
    tab.get_by_role("button", name="Layer 2, head 1", exact=True).click()
    expect(tab.locator("figcaption").first).to_have_text("Layer 2, head 1")
    assert tab.evaluate("self.origin") == "null" and tab.evaluate("opener") is None
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    assert Path(download.value.path()).read_text(encoding="utf-8") == text_of(real, tab.url)


def text_of(visit: Visit, url: str) -> str:
    return visit.context.request.get(url).text()


def test_who_shows_a_key_saves_the_page_and_who_closes_the_panel_asks_no_longer(real: Visit) -> None:
    page = real.page
    page.evaluate("sessionStorage.setItem('gptwright.key', 'anything')")
    page.reload()
    ask(page, "the cat sat")
    page.route("**/api/answers/*/inside", lambda route: None)  # it takes its time
    with page.expect_event("requestfailed") as left:
        more(page, "Look inside")
        expect(page.get_by_role("status").filter(has_text="The model reads")).to_be_visible()
        page.get_by_role("button", name="Look inside").click()
    assert left.value.url.endswith("/inside")
    page.unroute("**/api/answers/*/inside")
    page.get_by_role("button", name="Look inside").click()
    expect(page.get_by_role("button", name="Save as a file")).to_be_visible()
    expect(page.get_by_role("link", name="Open in a new tab")).to_have_count(0)


def downloaded(page: Page, name: str) -> str:
    page.get_by_role("button", name="Share or export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_a_conversation_is_exported_with_its_branches_and_labels(visit: Visit, traffic: Traffic, model: Any) -> None:
    page = visit.page
    answer = ask(page, "Say hello")
    answer.get_by_role("button", name="Good answer").click()
    traffic.rest()
    answer.get_by_role("button", name="Another answer").click()
    expect(page.locator("li.assistant")).to_contain_text("2/2")
    kept = json.loads(downloaded(page, "Everything (JSON)"))
    assert [one["role"] for one in kept["messages"]] == ["user", "assistant", "assistant"]
    assert kept["messages"][1]["parent_id"] == kept["messages"][2]["parent_id"] == kept["messages"][0]["id"]
    assert [label["value"] for label in kept["labels"]] == ["up"] and kept["messages"][1]["generation"]["seed"]
    page.keyboard.press("Escape")
    assert f"Say hello\n\n## tiny\n\n{model.reply}" in downloaded(page, "Markdown")


def test_a_shared_page_is_one_file_that_only_reads(visit: Visit, browser: Browser, tmp_path: Path, model: Any) -> None:
    model.reply = "<script>alert(1)</script> **bold** ![x](http://203.0.113.1/)"
    page = visit.page
    ask(page, "<img src=x onerror=alert(1)>")
    (tmp_path / "shared.html").write_text(downloaded(page, "Page to read"), encoding="utf-8")
    context = browser.new_context(color_scheme="dark", viewport={"width": 360, "height": 640})
    shared, asked, dialogs = context.new_page(), list[str](), list[str]()
    shared.on("request", lambda request: asked.append(request.url))
    shared.on("dialog", lambda dialog: dialogs.append(dialog.message))
    shared.goto(f"file://{tmp_path}/shared.html")
    expect(shared.locator("strong")).to_have_text("bold")
    expect(shared.locator("article").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert shared.locator("script, img, link, [onerror]").count() == 0
    assert len(asked) == 1 and dialogs == []
    assert shared.evaluate("document.documentElement.scrollWidth") <= 360
    dark = shared.evaluate("getComputedStyle(document.body).backgroundColor")
    shared.emulate_media(color_scheme="light")
    assert shared.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    context.close()


def test_text_files_are_read_into_the_message(visit: Visit, model: Any, tmp_path: Path) -> None:
    page = visit.page
    (tmp_path / "notes.txt").write_text("line one\nline two ``` and", encoding="utf-8")
    (tmp_path / "large.txt").write_text("x" * 300_000, encoding="utf-8")
    (tmp_path / "raw.bin").write_bytes(b"\x00\x01\xff\xfe")
    page.get_by_role("textbox", name="Write").fill("Read this:")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach text files").click()
    chooser.value.set_files([tmp_path / "notes.txt", tmp_path / "large.txt", tmp_path / "raw.bin"])
    expect(page.get_by_role("alert")).to_contain_text("large.txt is larger than")
    expect(page.get_by_role("alert")).to_contain_text("raw.bin is no text")
    text = page.get_by_role("textbox", name="Write").input_value()
    assert text == "Read this:\n\nnotes.txt\n````\nline one\nline two ``` and\n````\n"
