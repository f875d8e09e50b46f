"""Pictures in questions, where the model sees: chosen, dropped and pasted; shown, kept and sent again. Where it does
not see, they are refused in words."""

import base64
import io
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel
from tests.serving.pages.chat import answered, answers, box, kept, press, say
from tests.serving.pages.conftest import Visit

from gptwright.images.decode import decode_image
from gptwright.serving.api import create_app
from gptwright.store.database import Store

pytestmark = pytest.mark.browser
ATTACH = "Attach pictures and text files"
COLOURS = ("red", "blue", "green")


@pytest.fixture
def model() -> FakeModel:
    return FakeModel(sees=True)


def picture(colour: str, width: int = 8, height: int = 8, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, kind)
    return buffer.getvalue()


def noise(side: int) -> bytes:
    """A picture whose file is large."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(1).randbytes(3 * side * side)).save(buffer, "PNG")
    return buffer.getvalue()


def files(folder: Path, **contents: bytes) -> list[Path]:
    made = [folder / name.replace("_", ".") for name in contents]
    for path, content in zip(made, contents.values(), strict=True):
        path.write_bytes(content)
    return made


def attach(page: Page, *paths: Path, name: str = ATTACH) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=name).click()
    chooser.value.set_files(list(paths))


GIVE = """([event, name, type, data, text]) => {
  const given = new DataTransfer();
  if (data) given.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
  if (text) given.setData("text/plain", text);
  const at = event === "paste" ? document.activeElement : document.body, way = { bubbles: true, cancelable: true };
  at.dispatchEvent(event === "paste" ? new ClipboardEvent(event, { clipboardData: given, ...way })
    : new DragEvent(event, { dataTransfer: given, ...way }));
}"""


def give(page: Page, event: str, data: bytes, name: str = "a.png", kind: str = "image/png", text: str = "") -> None:
    page.evaluate(GIVE, [event, name, kind, base64.b64encode(data).decode(), text])


def waiting(page: Page) -> Any:
    return page.get_by_role("list", name="Pictures").get_by_role("img")


def seen(model: FakeModel) -> list[tuple[int, int, int]]:
    """What the model saw last: the colours in the middles of its pictures."""
    images = [decode_image(data) for data in model.seen[-1].values()]
    return [image.getpixel((image.width // 2, image.height // 2)) for image in images]  # pyright: ignore[reportReturnType]


def test_pictures_are_chosen_dropped_and_pasted_shown_and_kept(visit: Visit, model: FakeModel, tmp_path: Path) -> None:
    page = visit.page
    attach(page, *files(tmp_path, a_png=picture("red")))
    expect(waiting(page)).to_have_count(1)
    give(page, "drop", picture("lime"))
    expect(waiting(page)).to_have_count(2)
    box(page).focus()
    give(page, "paste", picture("blue"))
    expect(waiting(page)).to_have_count(3)
    page.get_by_role("button", name="Take picture 2 out").click()
    expect(waiting(page)).to_have_count(2)
    say(page, "Which colours?")
    answered(page)
    expect(waiting(page)).to_have_count(0)
    assert seen(model) == [(255, 0, 0), (0, 0, 255)]
    assert model.asked[-1][0][0]["content"] == "Which colours?"
    page.reload()
    answered(page)
    expect(page.locator("li.user img")).to_have_count(2)
    stored = page.evaluate("id => fetch('/api/conversations/' + id).then(r => r.json())", kept(page))
    assert [part["type"] for part in stored["messages"][0]["parts"]] == ["image_url", "image_url", "text"]


def test_a_picture_alone_is_a_question(visit: Visit, model: FakeModel) -> None:
    give(visit.page, "drop", picture("red"))
    visit.page.get_by_role("button", name="Send").click()
    answered(visit.page)
    assert seen(model) == [(255, 0, 0)]


def test_an_edited_question_and_another_branch_keep_their_pictures(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    for colour in ("red", "blue"):
        give(page, "drop", picture(colour))
    expect(waiting(page)).to_have_count(2)
    say(page, "Which?")
    answered(page)
    press(page, "Edit")
    page.get_by_role("button", name="Take picture 1 out").click()
    page.get_by_role("textbox", name="Edit").fill("And this?")
    press(page, "Send again")
    expect(page.locator("li.user .said")).to_have_text(["And this?"])
    answered(page)
    expect(page.locator("li.user")).to_contain_text("2/2")
    expect(page.locator("li.user img")).to_have_count(1)
    assert seen(model) == [(0, 0, 255)]
    press(page, "Another answer")
    expect(answers(page)).to_contain_text("2/2")
    assert seen(model) == [(0, 0, 255)]
    press(page.locator("li.user"), "The one before")
    expect(page.locator("li.user img")).to_have_count(2)


def test_a_temporary_chat_shows_pictures_too(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    press(page, "Temporary chat")
    give(page, "drop", picture("red"))
    expect(waiting(page)).to_have_count(1)
    say(page, "Which?")
    answered(page)
    expect(page.locator("li.user img")).to_have_count(1)
    assert seen(model) == [(255, 0, 0)]
    assert "data:image" not in page.evaluate("JSON.stringify(localStorage)")


def test_a_large_picture_is_sent_smaller(visit: Visit, model: FakeModel, tmp_path: Path) -> None:
    page = visit.page
    large = noise(1500)
    assert len(large) > 1 << 20  # more than a request may have
    attach(page, *files(tmp_path, large_png=large, wide_jpg=picture("red", 4000, 40, "JPEG")))
    expect(waiting(page)).to_have_count(2)
    say(page, "What?")
    answered(page)
    sizes = [decode_image(data).size for data in model.seen[-1].values()]
    assert sizes == [(1024, 1024), (1024, 11)]


def test_limits_are_told_before_anything_is_sent(visit: Visit, model: FakeModel, tmp_path: Path) -> None:
    page = visit.page
    button = page.get_by_role("button", name=ATTACH)
    expect(button).to_have_attribute("title", f"{ATTACH} (16 more pictures of up to 20 MB, sent smaller; "
                                     "texts of up to 200 kB)")  # fmt: skip
    huge, broken = files(tmp_path, huge_png=b"\x89PNG" + bytes(21_000_000), broken_png=b"\x89PNG no more")
    attach(page, huge, broken)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("huge.png is larger than 20 MB.")
    expect(alert).to_contain_text("broken.png is no picture that can be read.")
    attach(page, *files(tmp_path, **{f"p{at}_png": picture(COLOURS[at % 3]) for at in range(17)}))
    expect(alert).to_contain_text("p16.png stays out: the model sees 16 pictures of a conversation at once.")
    expect(waiting(page)).to_have_count(16)
    say(page, "All of them")
    answered(page)
    give(page, "drop", picture("red"), "one.png")
    expect(alert).to_contain_text("one.png stays out")
    assert len(model.asked) == 1


def test_what_one_message_cannot_hold_stays_out(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    texts = files(tmp_path, **{f"t{at}_txt": b"x" * 199_000 for at in range(6)})
    attach(page, *texts)
    expect(page.get_by_role("alert")).to_contain_text("t5.txt stays out: one message holds no more.")


def test_text_files_and_pictures_come_one_way(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    attach(page, *files(tmp_path, a_png=picture("red"), notes_txt=b"a line", draw_svg=b"<svg></svg>"))
    expect(waiting(page)).to_have_count(1)
    notes, drawing = "notes.txt\n```\na line\n```", "draw.svg\n```\n<svg></svg>\n```\n"
    expect(box(page)).to_have_value(f"{notes}\n\n{drawing}")


def test_a_copied_table_is_pasted_as_its_text(visit: Visit) -> None:
    page = visit.page
    box(page).focus()
    give(page, "paste", picture("red"), text="a\tb")
    give(page, "paste", picture("blue"))
    expect(waiting(page)).to_have_count(1)


def test_unsent_pictures_outlive_a_reload(visit: Visit) -> None:
    page = visit.page
    give(page, "drop", picture("red"))
    box(page).fill("half")
    box(page).blur()
    page.reload()
    expect(waiting(page)).to_have_count(1)
    expect(box(page)).to_have_value("half")
    say(page, "whole")
    answered(page)
    page.reload()
    answered(page)
    expect(waiting(page)).to_have_count(0)


def test_a_refused_question_comes_back_with_its_pictures(visit: Visit, model: FakeModel) -> None:
    page = visit.page
    give(page, "drop", picture("red"))
    expect(waiting(page)).to_have_count(1)
    say(page, "word " * 80)
    expect(page.get_by_role("alert")).to_contain_text("longer than the model can read")
    expect(page.locator("li.user img")).to_have_count(1)
    press(page, "Put back into the box")
    expect(waiting(page)).to_have_count(1)
    say(page, "Which?")
    answered(page)
    assert seen(model) == [(255, 0, 0)]
    visit.expected("400 (Bad Request)")


def test_a_model_that_does_not_see_offers_none_and_says_so(visit: Visit, model: FakeModel) -> None:
    model.sees = False
    page = visit.page
    page.reload()
    expect(page.get_by_role("button", name="Attach text files")).to_be_visible()
    expect(page.get_by_role("button", name=ATTACH)).to_have_count(0)
    give(page, "drop", picture("red"), "cat.png")
    expect(page.get_by_role("alert")).to_contain_text("tiny sees no pictures, so cat.png stays out.")
    expect(waiting(page)).to_have_count(0)


def test_pictures_and_then_a_model_that_does_not_see(
    browser: Browser, serve: Any, model: FakeModel, store: Store
) -> None:
    blind = FakeModel(name="blind")
    with serve(create_app({"tiny": model, "blind": blind}, store)) as address:  # pyright: ignore[reportArgumentType]
        visit = Visit(browser, address)
        page = visit.page
        expect(box(page)).to_be_visible()
        give(page, "drop", picture("red"))
        expect(waiting(page)).to_have_count(1)
        box(page).fill("Which?")
        press(page, "tiny")
        page.get_by_role("dialog").get_by_role("button", name="blind").click()
        expect(page.get_by_role("alert")).to_contain_text("blind sees no pictures: take them out")
        expect(page.get_by_role("button", name="Send")).to_be_disabled()
        page.get_by_role("button", name="Take picture 1 out").click()
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
        visit.close()


def test_a_shared_page_shows_them(visit: Visit, browser: Browser, tmp_path: Path) -> None:
    page = visit.page
    give(page, "drop", picture("red"))
    expect(waiting(page)).to_have_count(1)
    say(page, "Which?")
    answered(page)
    press(page, "Share or export")
    with page.expect_download() as download:
        page.get_by_role("button", name="Page to read").click()
    download.value.save_as(tmp_path / "shared.html")
    shared = browser.new_page()
    shared.goto(f"file://{tmp_path}/shared.html")
    assert shared.locator("img").evaluate("image => image.naturalWidth") == 8
    shared.close()
