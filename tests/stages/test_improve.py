"""improve: what it learns from, when it promotes, what it leaves and takes back, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gptwright as package
from gptwright.foundations.runs import finished_stage
from gptwright.pipelines.resolve import resolve_model
from gptwright.stages.improvement import _figures  # pyright: ignore[reportPrivateUsage]
from gptwright.store.database import open_store
from gptwright.store.labels import annotate
from gptwright.store.messages import keep_turns
from gptwright.training.evaluation import Estimate

from .conftest import Command, asked, said, write_lines

GOOD, BAD = "The cat saw a boat.", "Fell."
FEW = ("--threads", 1, "--minutes", 1)


@pytest.fixture
def place(tokenized: Path, tuned: Path, tmp_path: Path) -> Path:
    """A run of its own: the text, and a model that was taught."""
    for number, stage in enumerate((tokenized, tuned), 1):
        shutil.copytree(stage, tmp_path / "run" / f"{number:02}-{stage.name}")
    return tmp_path / "run"


def rows(path: Path, ranks: Callable[[int], list[int]], count: int = 40, **more: Any) -> Path:
    return write_lines(path, [{"messages": asked(f"Question {i}?"), "answers": [GOOD, BAD], "ranks": ranks(i)} | more
                              for i in range(count)])  # fmt: skip


@pytest.fixture
def liked(tmp_path: Path) -> Path:
    """One answer is better than the other, whatever is asked."""
    return rows(tmp_path / "liked.jsonl", lambda i: [1, 2])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def promoted(place: Path) -> list[str]:
    return [entry["model"] for entry in json.loads((place / "promoted.json").read_text())["promoted"]]


def test_what_is_better_is_promoted_and_everybody_follows(place: Path, liked: Path, gptwright: Command) -> None:
    done = gptwright("improve", place, "--rankings", liked, *FEW)
    assert done.code == 0, done.err
    assert "improve: dpo, straight from the rankings" in done.err
    assert "improve-1, by dpo: 100.0%" in done.out and "questions answered rightly" in done.out
    assert done.out.count("\n  before: ") == done.out.count("\n  after:  ") == 3
    assert promoted(place) == ["improve-1"]
    assert resolve_model(place) == place / "improve-1" and package.load(place).name == "improve-1"
    found = lines(place / "improve-1/rankings.jsonl")
    held, trained = (
        {line["messages"][-1]["content"] for line in found if line["split"] == split} for split in ("heldout", "train")
    )
    assert held and trained and not held & trained


def test_the_same_rows_again_change_nothing_and_more_rows_go_on(
    place: Path, liked: Path, tmp_path: Path, gptwright: Command
) -> None:
    gptwright("improve", place, "--rankings", liked, *FEW)
    again = gptwright("improve", place, "--rankings", liked, *FEW)
    assert "improve-1 is complete" in again.err and promoted(place) == ["improve-1"]
    more = rows(tmp_path / "more.jsonl", lambda i: [1, 2], 44)
    assert gptwright("improve", place, "--rankings", more, *FEW).code == 0
    assert finished_stage(place / "improve-2")["config"]["policy"] == str(place / "improve-1")
    assert promoted(place) == ["improve-1", "improve-2"]


def test_undo_goes_back_one_promotion_at_a_time(
    place: Path, liked: Path, gptwright: Command, refused: Callable[..., str]
) -> None:
    assert "an improvement in" in refused("improve", place, "--undo")
    gptwright("improve", place, "--rankings", liked, *FEW)
    assert "goes on with 02-sft" in gptwright("improve", place, "--undo").out
    assert resolve_model(place) == place / "02-sft"
    assert "none that is promoted" in refused("improve", place, "--undo")
    gptwright("improve", place, "--rankings", liked, *FEW)
    assert promoted(place) == ["improve-1"], "what is complete is only taken into use again"


@pytest.mark.parametrize(("low", "high", "why_not"), [
    (0.51, 0.6, ""), (0.4, 0.6, " can be chance: a half would be"), (0.2, 0.4, ", where chance gives a half"),
])  # fmt: skip
def test_what_is_worse_than_chance_is_not_called_chance(low: float, high: float, why_not: str) -> None:
    figures = _figures("dpo", Estimate((low + high) / 2, low, high, 256), "wins")
    assert figures["why_not"] == (f"{figures['found']}{why_not}" if why_not else "")


def test_a_taste_that_chance_could_have_made_is_not_promoted(place: Path, tmp_path: Path, gptwright: Command) -> None:
    torn = rows(tmp_path / "torn.jsonl", lambda i: [1, 2] if i % 2 else [2, 1])
    done = gptwright("improve", place, "--rankings", torn, *FEW)
    assert done.code == 0 and "not promoted: " in done.out and "can be chance" in done.out
    assert f"{place} goes on with 02-sft" in done.out and resolve_model(place) == place / "02-sft"


def test_a_rule_that_made_the_rankings_counts_the_wins(place: Path, liked: Path, gptwright: Command) -> None:
    done = gptwright("improve", place, "--rankings", liked, "--rule", "plain-words", *FEW)
    assert "held-out prompts won" in done.out and done.code == 0, done.err
    held = [line for line in lines(place / "improve-1/rankings.jsonl") if line["split"] == "heldout"]
    answered = lines(place / "improve-1/answers.jsonl")
    assert answered[0]["messages"] == held[0]["messages"] and len(answered) > len(held), "the run's questions too"


def test_by_reward_model_and_ppo(place: Path, liked: Path, gptwright: Command) -> None:
    done = gptwright("improve", place, "--rankings", liked, "--method", "ppo", *FEW)
    assert done.code == 0, done.err
    assert "improve-1, by ppo" in done.out and finished_stage(place / "improve-1/reward", "reward")


def test_rankings_that_contradict_each_other_are_counted(place: Path, tmp_path: Path, gptwright: Command) -> None:
    torn = [{"messages": asked(f"Question {i}?"), "answers": [GOOD, BAD], "ranks": ranks}
             for i in range(30) for ranks in ([1, 2], [1, 2], [2, 1])]  # fmt: skip
    circle = [{"messages": asked("Round?"), "answers": list(pair), "ranks": [1, 2]} for pair in ("ab", "bc", "ca")]
    done = gptwright("improve", place, "--rankings", write_lines(tmp_path / "x.jsonl", torn + circle), *FEW)
    assert "30 of 33 pairs were judged both ways (0 as often one as the other)" in done.err
    assert "of 1 prompts the preferences run in a circle" in done.err


def test_thumbs_and_demonstrations_become_rankings(place: Path, tmp_path: Path, gptwright: Command) -> None:
    with open_store(place) as store, store.write() as session:
        for i in range(12):
            for prompt, thumb, model in (("Both", "up", "02-sft"), ("Both", "down", "other"),
                                         ("Good", "up", "02-sft"), ("Bad", "down", "02-sft")):  # fmt: skip
                turns: Any = said(f"{prompt} {i}?", GOOD if thumb == "up" else BAD)
                annotate(session, "thumb", keep_turns(session, turns, model=model), thumb)
    done = gptwright("improve", place, *FEW)
    assert done.code == 0, done.err
    assert "12 rated down, with no better answer to the same prompt" in done.err
    assert "not all of the answers are by" in done.err and "12 of other" in done.err
    found = lines(place / "improve-1/rankings.jsonl")
    assert len(found) == 24 and all(line["answers"][line["ranks"].index(1)] == GOOD for line in found)


def test_a_store_is_learned_once_and_more_labels_are_learned_anew(
    place: Path, liked: Path, gptwright: Command, refused: Callable[..., str], tmp_path: Path
) -> None:
    store, few = tmp_path / "labels.sqlite", rows(tmp_path / "few.jsonl", lambda i: [1, 2], 5)
    gptwright("store", "import", store, few)
    assert "needed 20 rankings" in refused("improve", place, "--from-store", store, *FEW)
    assert not (place / "improve-1").exists()
    gptwright("store", "import", store, liked)
    first = gptwright("improve", place, "--from-store", store, *FEW)
    assert first.code == 0 and promoted(place) == ["improve-1"], first.err
    assert gptwright("improve", place, "--from-store", store, *FEW).code == 0 and not (place / "improve-2").exists()
    gptwright("store", "import", store, rows(tmp_path / "more.jsonl", lambda i: [1, 2], 30, labeller="anna"))
    assert gptwright("improve", place, "--from-store", store, *FEW).code == 0 and (place / "improve-2").exists()
    assert len(lines(place / "improve-2/from-store/rankings.jsonl")) == 70


def test_thumbs_of_an_older_gptwright_are_taken_in(place: Path, refused: Callable[..., str]) -> None:
    write_lines(place / "feedback.jsonl", [{"id": "a", "time": "", "rating": "up", "messages": said("Hi", GOOD),
                                            "model": "02-sft"}])  # fmt: skip
    said_of_it = refused("improve", place, *FEW)
    assert "1 ratings of" in said_of_it and "needed 20 rankings" in said_of_it
    assert (place / "store.sqlite").is_file()


@pytest.mark.parametrize(
    ("ranks", "count", "says"),
    [
        ([1, 1], 40, "40 in which all tie"),
        ([1, 2], 12, "needed 20 rankings in which one answer is better than another; got 12"),
    ],
)
def test_what_teaches_nothing_is_refused_and_leaves_nothing(
    place: Path, tmp_path: Path, refused: Callable[..., str], ranks: list[int], count: int, says: str
) -> None:
    path = rows(tmp_path / "rows.jsonl", lambda i: ranks, count)
    assert says in refused("improve", place, "--rankings", path, *FEW)
    assert not (place / "improve-1").exists() and resolve_model(place) == place / "02-sft"


def test_rankings_of_answers_that_the_model_cannot_hold_are_refused(
    place: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    long = [{"messages": asked(f"Question {i}?"), "answers": [f"{'the cat ' * 400}{end}" for end in "ab"],
             "ranks": [1, 2]} for i in range(40)]  # fmt: skip
    path = write_lines(tmp_path / "long.jsonl", long)
    told = refused("improve", place, "--rankings", path, *FEW)
    assert "needed rankings that the model can read; got none" in told and "Rank shorter answers." in told
    assert resolve_model(place) == place / "02-sft"


def test_it_needs_rows_and_a_run(place: Path, tuned: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    assert f"gptwright serve {place}" in refused("improve", place)
    assert "which belongs to none" in refused("improve", tuned / "model")


def test_a_model_from_outside_becomes_a_run(tuned: Path, liked: Path, tmp_path: Path, gptwright: Command) -> None:
    out = tmp_path / "own"
    done = gptwright("improve", tuned / "model", "--out", out, "--rankings", liked, "--lora", 2, *FEW)
    assert done.code == 0, done.err
    assert promoted(out) == ["improve-1"] and (out / "improve-1/adapter/adapter_config.json").is_file()


def test_one_that_was_stopped_goes_on_bit_equal(place: Path, liked: Path, gptwright: Command) -> None:
    gptwright("improve", place, "--rankings", liked, *FEW)
    folder = place / "improve-1"
    names = [file for file in folder.rglob("*") if file.is_file() and file.name != "stage.json"]
    before = {file: file.read_bytes() for file in names}
    record = json.loads((folder / "stage.json").read_text())
    (folder / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    (place / "promoted.json").unlink()
    shutil.rmtree(folder / "model")
    shutil.rmtree(max((folder / "checkpoints").iterdir()))
    gptwright("improve", place, "--rankings", liked, *FEW)
    assert {file: file.read_bytes() for file in names} == before and promoted(place) == ["improve-1"]


def test_a_promoted_model_that_was_lost_is_said(place: Path, liked: Path, gptwright: Command) -> None:
    gptwright("improve", place, "--rankings", liked, *FEW)
    shutil.rmtree(place / "improve-1")
    done = gptwright("generate", place, "x")
    assert done.code == 1 and "--undo" in done.err
    assert gptwright("improve", place, "--undo").code == 0 and resolve_model(place) == place / "02-sft"
