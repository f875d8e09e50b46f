"""The owner's side of the labelling page, several labellers at once, and the page that labels without a server."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel, running
from tests.serving.pages.conftest import Visit
from tests.serving.pages.test_label import Queue, finished, queue, said, submit

from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.labels import labels
from gptwright.store.task_labels import Said, find_task, submit_labels
from gptwright.store.tasks import take_task

__all__ = ["queue"]
pytestmark = pytest.mark.browser
LABELS = int(os.environ.get("LABELS", "24"))
PEOPLE = {"anna": "a", "ben": "b", "cleo": "c"}


@pytest.fixture
def owner(visit: Visit) -> Page:
    visit.page.goto(visit.address + "/#/label/owner")
    expect(visit.page.get_by_role("heading", name="Make tasks")).to_be_visible()
    return visit.page


def say(store: Store, id: str, labeller: str, value: Any) -> None:
    """A task's label."""
    with store.write() as session:
        task = find_task(session, id)
        submit_labels(session, task, [Said(task.kind, task.message_id, value)], labeller)


def lines(tmp_path: Path, *objects: Any) -> Path:
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def test_tasks_are_made_of_what_is_stored(owner: Page, store: Store, queue: Queue) -> None:
    queue("rating", "one", "two")
    owner.get_by_label("Labellers a task").fill("2")
    owner.get_by_role("button", name="Make", exact=True).click()
    expect(owner.get_by_text("1 tasks made").first).to_be_visible()
    owner.get_by_role("button", name="Make", exact=True).click()
    expect(owner.get_by_text("0 tasks made").first).to_be_visible()


def test_tasks_with_known_labels_come_from_a_file(owner: Page, store: Store, tmp_path: Path) -> None:
    file = lines(tmp_path, {"prompt": "Hi", "answers": ["Hello", "Go"], "ranks": [1, 2]})
    owner.get_by_role("combobox", name="Of", exact=True).select_option("file")
    owner.get_by_label("File", exact=True).first.set_input_files(file)
    owner.get_by_label("The file says the labels").check()
    owner.get_by_label("A training round").check()
    owner.get_by_role("button", name="Make", exact=True).click()
    expect(owner.get_by_text("1 tasks made").first).to_be_visible()
    with store.write() as session:
        task = take_task(session, "anna")
        assert task and task.fields["training"] and task.fields["known"]["ranks"] == [1, 2]


def test_progress_speed_and_agreement_are_live(owner: Page, store: Store, queue: Queue) -> None:
    tasks = [queue("rating", text, overlap=2).task for text in ("one", "two")]
    with store.write() as session:
        for labeller in ("anna", "ben"):
            while task := take_task(session, labeller):
                value = 3 if task.id == tasks[0] else 6
                submit_labels(session, task, [Said("rating", task.message_id, value)], labeller)
    row = owner.locator("tbody tr")
    expect(row.first.locator("td")).to_have_text(["4", "4", "0", "α 1.00"], timeout=8000)
    expect(row.filter(has_text="anna")).to_contain_text("How good is the answer?: α 1.00")


def test_what_labellers_differ_on_is_decided(owner: Page, store: Store, queue: Queue) -> None:
    made = queue("preference", "one", "two", overlap=2)
    ids = list(made.answers.values())
    say(store, made.task, "anna", {"answers": ids, "strength": 3})
    say(store, made.task, "ben", {"answers": ids, "strength": -1})
    owner.reload()
    expect(owner.locator("article li")).to_have_count(2)
    owner.get_by_role("radio", name="6 B is better").check()
    owner.get_by_role("button", name="This counts").click()
    expect(owner.get_by_text("Nothing to decide.")).to_be_visible()
    from gptwright.store.exports import FORMATS

    with store.read() as session:
        [line] = FORMATS["rankings"](session)
    assert line["strength"] == 2


def test_what_is_unsure_comes_first(owner: Page, store: Store, queue: Queue) -> None:
    sure = queue("rating", "sure", overlap=3)
    unsure = queue("rating", "unsure", overlap=3)
    for labeller, value in (("anna", 1), ("ben", 7)):
        say(store, sure.task, labeller, 4)
        say(store, unsure.task, labeller, value)
    owner.get_by_role("button", name="Put first what is unsure").click()
    expect(owner.get_by_text("2 tasks put in order").first).to_be_visible()
    with store.write() as session:
        task = take_task(session, "cleo")
        assert task and task.id == unsure.task != sure.task


def test_labels_leave_and_come_back(owner: Page, store: Store, queue: Queue, tmp_path: Path) -> None:
    pair = {"prompt": [{"role": "user", "content": "Hi"}], "chosen": [{"role": "assistant", "content": "Hello"}],
            "rejected": [{"role": "assistant", "content": "Go"}]}  # fmt: skip
    files = owner.locator("section", has=owner.get_by_role("heading", name="Files"))
    file = lines(tmp_path, pair)
    for taken in ("1 new labels", "0 new labels"):
        files.get_by_role("combobox").last.select_option("trl")
        files.get_by_label("File", exact=True).set_input_files(file)
        files.get_by_role("button", name="Take in").click()
        expect(owner.get_by_text(taken).first).to_be_visible()
    for format in ("trl", "openrlhf", "rankings"):
        files.get_by_role("combobox").first.select_option(format)
        with owner.expect_download() as download:
            files.get_by_role("button", name="Export").click()
        [line] = map(json.loads, Path(download.value.path()).read_text().splitlines())
        assert line == pair if format == "trl" else "Hello" in json.dumps(line)


def test_a_page_taken_along_labels_from_a_disk_and_its_lines_merge_once(
    visit: Visit, browser: Browser, store: Store, queue: Queue, tmp_path: Path
) -> None:
    queue("thumb", "The page at the server holds this one.", priority=4.0)
    queue("rating", "</script><script>alert(1)</script>", priority=3.0)
    made = queue("ranking", "one", "two", priority=2.0)
    queue("edit", "Becuase.")
    page = visit.page
    page.goto(visit.address + "/#/label")
    page.get_by_text("Take along").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "label.html")
    unplugged = browser.new_context(offline=True, locale="en-GB")
    away = unplugged.new_page()
    faults: list[str] = []
    away.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    away.on("pageerror", lambda error: faults.append(str(error)))
    away.on("request", lambda request: faults.append(request.url) if not request.url.startswith("file:") else None)
    away.goto(f"file://{tmp_path}/label.html")
    expect(away.get_by_text("</script><script>alert(1)</script>", exact=True)).to_be_visible()
    away.keyboard.press("7")
    submit(away)
    away.locator(".grip").nth(1).press("1")
    away.reload()  # what is half said, and what is said, stays
    expect(away.get_by_text("1 of 3 done")).to_be_visible()
    submit(away)
    away.locator("h2").press("s")
    away.get_by_label("Why?").fill("no time")
    away.keyboard.press("Enter")
    finished(away)
    with away.expect_download() as back:
        away.get_by_role("button", name="Download what you said").click()
    back.value.save_as(tmp_path / "labels.jsonl")
    assert [fault for fault in faults if not fault.startswith("blob:")] == []
    unplugged.close()
    for taken in ("3 new", "0 new"):
        page.get_by_label("Bring back").set_input_files(tmp_path / "labels.jsonl")
        expect(page.get_by_text(taken, exact=True).first).to_be_visible()
    assert said(store, "rating") == [7] and said(store, "skip") == ["no time"]
    [ranking] = said(store, "ranking")
    assert set(ranking["answers"]) == set(made.answers.values()) and sorted(ranking["ranks"]) == [1, 2]


def test_a_phone_and_both_themes_without_sideways_scrolling(browser: Browser, address: str, queue: Queue) -> None:
    queue("ranking", "a" * 300, "two words " * 40, fields={"guidelines": "Be fair."})
    for path in ("/#/label", "/#/label/owner"):
        visit = Visit(browser, address, path, viewport={"width": 360, "height": 700}, color_scheme="dark")
        expect(visit.page.locator("main h2").first).to_be_visible()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert visit.page.evaluate("document.querySelector('main').scrollWidth") <= 360
        visit.close()


def test_three_labellers_lose_and_double_nothing(
    browser: Browser, model: FakeModel, store: Store, queue: Queue
) -> None:
    tasks = [queue("rating", f"Answer {number}").task for number in range(LABELS)]
    with running(create_app({model.name: model}, store, keys=PEOPLE)) as shared:  # pyright: ignore[reportArgumentType]
        visits: list[Visit] = []
        for key in PEOPLE.values():
            visit = Visit(browser, shared, "/icon.svg")
            visit.context.add_init_script(f"sessionStorage['gptwright.key'] = '{key}'")
            visit.another("/#/label")
            visits.append(visit)
        working = [visit.context.pages[-1] for visit in visits]
        while working:
            for page in [*working]:
                shown = page.locator(".judged .text, .notice").first.text_content() or ""
                if not shown.startswith("Answer "):
                    expect(page.get_by_text("Nothing waits")).to_be_visible()
                    working.remove(page)
                    continue
                page.keyboard.press(str(1 + int(shown.split()[-1]) % 7))
                with page.expect_response("**/next"):
                    page.keyboard.press("Control+Enter")
        for visit in visits:
            visit.expected("401")  # a picture's page asks for its icon without a key
            visit.close()
    with store.read() as session:
        found = labels(session, "rating")
    assert {label.task_id: label.value for label in found} == {task: 1 + at % 7 for at, task in enumerate(tasks)}
    assert len(found) == LABELS and {label.author for label in found} == set(PEOPLE)
