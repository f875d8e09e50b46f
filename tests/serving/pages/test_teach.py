"""Teaching: answers are ranked, the model improves by that, and is heard beside the one before."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serving.conftest import FakeModel, FakeStream, running
from tests.serving.pages.conftest import Visit

from gptwright.serving.api import create_app
from gptwright.serving.routes.jobs import Improving, InUse
from gptwright.store.database import Store
from gptwright.store.labels import annotate, labels
from gptwright.store.messages import keep_turns

pytestmark = pytest.mark.browser

QUICK = "print('improve-1, by dpo: 80%')"


class Various(FakeModel):
    """Says another word each time; the same where `alike`."""

    alike = False

    def open_stream(self, ids: Any, sampling: Any, **options: Any) -> FakeStream:
        self.reply = "The same." if self.alike else f"Answer number {len(self.asked)}."
        return super().open_stream(ids, sampling, **options)


class Run:
    """A run to improve. `program` is what an improvement does, `better` whether it becomes better by that."""

    program, better, name = QUICK, True, "tiny"

    def command(self, asked: Mapping[str, Any]) -> list[str]:
        self.asked = dict(asked)
        self.next = "tiny" if asked["kind"] == "undo" or not self.better else "improve-1"
        return [sys.executable, "-c", "print('undone')" if asked["kind"] == "undo" else self.program]

    def in_use(self) -> Any:
        self.name = self.next
        return InUse(self.name, lambda: FakeModel(name=self.name, reply="Better."), {"weights": "abc"})  # pyright: ignore[reportArgumentType, reportReturnType]

    def outcome(self, lines: Any) -> dict[str, Any]:
        samples = [{"messages": [{"role": "user", "content": f"Q{i}?"}], "answers": ["old", "new"][:: 1 - 2 * (i % 2)],
                    "new": 1 - i % 2} for i in range(4)]  # fmt: skip
        share = {"share": 0.8, "low": 0.6, "high": 0.9} if self.better else {"share": 0.5, "low": 0.4, "high": 0.6}
        told = {
            "folder": "improve-1",
            "before": "tiny",
            "method": "dpo",
            "measure": "wins",
            "count": 40,
            "samples": samples,
        }
        against = [] if self.better else ["chance"]
        return share | told | {"promoted": self.better, "against": against} if "improve-1" in lines[-1] else {}


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def model() -> Various:
    return Various(max_requests=4)


@pytest.fixture
def address(model: Various, store: Store, run: Run) -> Iterator[str]:
    improving = Improving(run.command, run.in_use, least=20, outcome=run.outcome, prompts=lambda: ("Why?", "How?"),
                          may_undo=lambda: run.name == "improve-1")  # fmt: skip
    app = create_app({model.name: model}, store, examples=("What is a cat?",), improving=improving)  # pyright: ignore[reportArgumentType]
    with running(app) as found:
        yield found


@pytest.fixture
def page(visit: Visit) -> Page:
    visit.page.goto(f"{visit.address}/#/improve")
    expect(visit.page.get_by_role("heading", name="What it was taught")).to_be_visible()
    return visit.page


def main(page: Page) -> Any:
    return page.locator("main")


def taught(store: Store, count: int) -> None:
    with store.write() as session:
        for number in range(count):
            id = keep_turns(session, [{"role": "user", "content": f"Q{number}"}, {"role": "assistant", "content": "A"}])
            annotate(session, "thumb", id, "up")


def rankings(store: Store) -> list[Any]:
    with store.read() as session:
        return [label.value for label in labels(session, "ranking")]


def test_twenty_pairs_are_ranked_by_keys_alone(page: Page, store: Store) -> None:
    page.get_by_role("button", name="Rank 20 answers").press("Enter")
    for number in range(20):
        expect(main(page).get_by_text(f"{number} of 20 ranked")).to_be_visible()
        expect(page.get_by_role("button", name="A is better")).to_be_enabled()
        page.keyboard.press(("ArrowLeft", "ArrowRight")[number % 2])
    expect(page.get_by_role("status")).to_have_text("20 ranked. The model can learn from that.")
    assert [value["ranks"] for value in rankings(store)] == [[1, 2], [2, 1]] * 10
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Improve", exact=True)).to_be_enabled()
    expect(page.get_by_text("20 of these are new")).to_be_visible()


def test_ties_skips_and_a_way_back(page: Page, store: Store) -> None:
    page.get_by_role("button", name="Rank 20 answers").click()
    first = page.get_by_role("heading", level=3)
    page.get_by_role("button", name="Equally good").click()
    expect(main(page).get_by_text("1 of 20 ranked")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert [value["ranks"] for value in rankings(store)] == [[1, 1]]
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    expect(main(page).get_by_text("0 of 20 ranked")).to_be_visible()
    expect(first).to_be_visible()
    assert rankings(store) == []


def test_four_answers_are_put_in_order_to_one_s_own_questions(page: Page, store: Store, model: Various) -> None:
    page.get_by_label("My own").check()
    page.get_by_label("One question a line").fill("Who?\n\nWhere?")
    page.get_by_label("Answers to each").select_option("4")
    page.get_by_role("button", name="Rank 20 answers").click()
    expect(page.get_by_role("heading", name="Who?")).to_be_visible()
    page.get_by_role("button", name="Answer D, rank 4 of 4").press("1")
    page.get_by_role("button", name="This order").click()
    expect(page.get_by_role("heading", name="Where?")).to_be_visible()
    assert [value["ranks"] for value in rankings(store)] == [[2, 3, 4, 1]]
    assert all(sampling.temperature >= 0.8 for _, sampling in model.asked)


def test_equal_answers_are_not_ranked_and_it_is_said(page: Page, model: Various) -> None:
    model.alike = True
    page.get_by_role("button", name="Rank 20 answers").click()
    expect(page.get_by_role("alert")).to_contain_text("the same answer again and again")


def test_too_few_labels_cannot_improve(page: Page, store: Store) -> None:
    taught(store, 3)
    page.reload()
    expect(page.get_by_text("17 more are needed")).to_have_count(2)
    expect(page.get_by_role("button", name="Improve", exact=True)).to_be_disabled()


def test_what_became_better_is_kept_judged_blind_and_taken_back(page: Page, store: Store, run: Run) -> None:
    taught(store, 20)
    page.reload()
    page.get_by_label("How long it may take").select_option("1 min")
    page.get_by_role("button", name="Improve", exact=True).click()
    expect(page.get_by_text("It became better. improve-1 answers from now on.")).to_be_visible()
    assert (run.asked["minutes"], run.asked["method"]) == (1, "auto")
    expect(page.get_by_role("img", name="New answers won 80% (60% to 90%) of 40 comparisons.")).to_be_visible()
    page.get_by_role("button", name="Judge 4 pairs").click()
    for number in range(4):
        expect(page.get_by_text(f"{number} of 4 judged")).to_be_visible()
        expect(page.get_by_text("Before", exact=True)).to_have_count(0)
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("You preferred the new answers in 50% (15% to 85%) of 4")).to_be_visible()
    expect(page.get_by_text("· your choice")).to_have_count(4)
    page.reload()
    expect(page.get_by_text("· your choice")).to_have_count(4)
    page.get_by_role("button", name="Go back to tiny").click()
    expect(page.get_by_text("went back to tiny")).to_be_visible()
    expect(page.get_by_role("button", name="Go back to tiny")).to_have_count(0)


def test_what_is_not_better_is_not_kept_and_the_reason_is_told(page: Page, store: Store, run: Run) -> None:
    run.better = False
    taught(store, 20)
    page.reload()
    page.get_by_role("button", name="Improve", exact=True).click()
    expect(page.get_by_text("Not better: tiny stays.")).to_be_visible()
    expect(page.get_by_text("The difference can be chance.")).to_be_visible()
    expect(page.get_by_role("button", name="Go back")).to_have_count(0)


def test_progress_is_live_outlives_a_reload_and_can_be_cancelled(page: Page, store: Store, run: Run) -> None:
    run.program = "import time; print('dpo  3/4  75%  2 s left', flush=True); time.sleep(600)"
    taught(store, 20)
    page.reload()
    page.get_by_role("button", name="Improve", exact=True).click()
    working = page.get_by_text("75 % of this step, 2 s left")
    expect(working).to_be_visible()
    page.reload()
    expect(working).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("goes on where it was")


def test_an_improvement_that_fails_says_so(page: Page, store: Store, run: Run) -> None:
    run.program = "raise SystemExit('gptwright: needed more; got less.')"
    taught(store, 20)
    page.reload()
    page.get_by_role("button", name="Improve", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("The improvement failed. needed more; got less.")


def test_it_is_for_owners(browser: Browser, model: Various, store: Store) -> None:
    from gptwright.store.people import add_key, add_user

    with store.write() as session:
        add_user(session, "anna", "labeller")
        _, secret = add_key(session, "anna")
    with running(create_app({model.name: model}, store, keys={"root": "root-key"})) as found:  # pyright: ignore[reportArgumentType]
        visit = Visit(browser, found)
        visit.page.get_by_label("API key").fill(secret)
        visit.page.get_by_role("button", name="Log in").click()
        expect(visit.page.locator("nav a")).to_have_text(["Chat", "Label"])
        visit.expected("401")
        visit.close()
