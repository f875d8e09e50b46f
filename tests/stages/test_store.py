"""The verb: shown, copied, carried out and in without loss."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.store.database import open_store
from gptwright.store.passwords import matches, password_hash
from gptwright.store.people import users
from gptwright.store.ranking_lines import read_ranking
from gptwright.text.jsonl import read_objects

from .conftest import Command, asked, said, write_lines

HI = [{"role": "system", "content": "Be kind."}, *asked("Hi")]
A, B = said("", "A")[1:], said("", "B")[1:]
RANKINGS: list[dict[str, Any]] = [
    {"prompt": "Hi", "answers": ["A", "B", "C"], "ranks": [1, 2, 2], "labeller": "anna", "split": "heldout"},
    {"prompt": "Hi", "answers": ["A", "B", "C"], "ranks": [1, 2, 2], "labeller": "anna", "split": "heldout"},
    {"messages": HI, "answers": ["A", "B"], "ranks": [1, 1], "kind": "mood", "wanted": {"words": [1, None, "“”"]}},
    {"messages": HI, "answers": ["A", "B"], "ranks": [2, 1], "model": "08-ppo"},
    {"messages": HI, "answers": ["A", "B"], "ranks": [2, 1], "models": ["08-ppo", "04-sft"], "labeller": "ben"},
    {"prompt": "Hi", "chosen": "A", "rejected": "B"},
    {"prompt": HI, "chosen": A, "rejected": B, "labeller": "TRL"},
    {"chosen": [*HI, *A], "rejected": [*HI, *B], "score": 0.5},
]
TALKS: list[dict[str, Any]] = [
    {"messages": said("Hi", "Hello"), "split": "train"},
    {"messages": [*said("Hi", "Hello"), *said("And?", "More")], "language": "fr"},
    {"messages": asked("Unanswered")},
    {"messages": said("Hi", "Hello"), "split": "train"},
]


def meaning(path: Path) -> list[Any]:
    """What `reward` and `dpo` read of each line, and all that is said beside it."""
    form = {"messages", "prompt", "chosen", "rejected", "answers", "ranks"}
    found = [read_ranking(line) for line in read_objects(path)]
    return [(one, {name: one.line[name] for name in one.line if name not in form}) for one in found]


def test_rankings_of_every_shape_come_out_as_they_went_in(gptwright: Command, tmp_path: Path) -> None:
    store, path = tmp_path / "store.sqlite", write_lines(tmp_path / "in.jsonl", RANKINGS)
    assert "8 of 8 lines taken in\n" in gptwright("store", "import", store, path).err
    assert "0 of 8 lines taken in; the others are there already" in gptwright("store", "import", store, path).err
    assert "8 lines" in gptwright("store", "export", store, tmp_path / "out.jsonl").err
    assert meaning(tmp_path / "out.jsonl") == meaning(path)
    other = tmp_path / "other.sqlite"
    assert gptwright("store", "import", other, tmp_path / "out.jsonl").code == 0
    assert gptwright("store", "export", other, tmp_path / "again.jsonl").code == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


@pytest.mark.parametrize("format", ["trl", "openrlhf"])
def test_pairs_come_out_as_they_went_in(gptwright: Command, tmp_path: Path, format: str) -> None:
    store, path = tmp_path / "store.sqlite", write_lines(tmp_path / "in.jsonl", [*RANKINGS[:1], *RANKINGS[2:]])
    gptwright("store", "import", store, path)
    gptwright("store", "export", store, tmp_path / "pairs.jsonl", "--format", format)
    pairs = meaning(tmp_path / "pairs.jsonl")
    assert [(one.best, one.ranks) for one, _ in pairs] == [*[("A", [1, 2])] * 2, *[("B", [1, 2])] * 2,
                                                           *[("A", [1, 2])] * 3]  # fmt: skip
    other = tmp_path / "other.sqlite"
    assert gptwright("store", "import", other, tmp_path / "pairs.jsonl", "--format", format).code == 0
    gptwright("store", "export", other, tmp_path / "again.jsonl", "--format", format)
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "pairs.jsonl").read_bytes()


def test_demonstrations_come_out_as_they_went_in(gptwright: Command, tmp_path: Path) -> None:
    store, path = tmp_path / "store.sqlite", write_lines(tmp_path / "in.jsonl", TALKS)
    words = ("--format", "demonstrations")
    assert "4 of 4 lines taken in" in gptwright("store", "import", store, path, *words).err
    gptwright("store", "export", store, tmp_path / "out.jsonl", *words)
    assert read_objects(tmp_path / "out.jsonl") == TALKS


def test_thumbs_come_out_as_they_went_in(gptwright: Command, tmp_path: Path) -> None:
    lines = [{"id": str(i), "time": f"2026-01-02T03:04:0{i}+00:00", "rating": "up", "messages": said("Hi", "Hello"),
              "model": "08-ppo", "user": "anna"} for i in range(3)]  # fmt: skip
    store, path = tmp_path / "store.sqlite", write_lines(tmp_path / "in.jsonl", lines)
    assert "3 thumbs taken in" in gptwright("store", "import", store, path, "--format", "thumbs").err
    gptwright("store", "export", store, tmp_path / "out.jsonl", "--format", "thumbs")
    assert read_objects(tmp_path / "out.jsonl") == lines


def test_a_store_is_shown_copied_and_moved(gptwright: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    gptwright("store", "import", run, write_lines(tmp_path / "in.jsonl", RANKINGS))
    shown = gptwright("store", "show", run).out
    assert shown.splitlines()[0] == str(run / "store.sqlite") and "ranking        8" in shown
    assert gptwright("store", "backup", run, tmp_path / "copy.sqlite").code == 0
    assert gptwright("store", "export", tmp_path / "copy.sqlite", tmp_path / "a.jsonl", "--format", "rows").code == 0
    moved = gptwright("store", "import", f"sqlite:///{tmp_path}/moved.sqlite", tmp_path / "a.jsonl", "--format", "rows")
    assert moved.code == 0, moved.err
    gptwright("store", "export", tmp_path / "moved.sqlite", tmp_path / "b.jsonl", "--format", "rows")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_what_cannot_be_done_is_said(gptwright: Command, refused: Callable[..., str], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", [*RANKINGS, {"prompt": "x"}])
    store = tmp_path / "store.sqlite"
    assert "nothing there" in refused("store", "show", store)
    assert "line 9" in refused("store", "import", store, path)
    assert "ranking " not in gptwright("store", "show", store).out
    assert "a new file" in refused("store", "export", store, path)
    assert "a file for backup" in refused("store", "backup", store)
    assert "no file for show" in refused("store", "show", store, path)
    assert "--prompts FILE" in refused("store", "import", store, path, "--format", "prompts")
    assert "nothing there" in refused("store", "import", store, tmp_path / "none", "--format", "thumbs")


def test_somebody_is_let_in_by_a_password(
    gptwright: Command, refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_in(password: str, *words: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        return gptwright("store", "user", tmp_path, "--name", "anna", *words).err

    assert "anna comes in as owner" in let_in("three words beside", "--role", "owner")
    assert "anna comes in as owner" in let_in("each other here")
    assert "anna comes in as labeller" in let_in("each other here", "--role", "labeller")
    assert "8 to 256" in let_in("short")
    with open_store(tmp_path) as store, store.read() as session:
        assert matches(password_hash(session, "anna"), "each other here")
        assert [(user.name, user.role) for user in users(session)] == [("anna", "labeller")]
    assert "a name" in refused("store", "user", tmp_path)
    assert "letters" in refused("store", "user", tmp_path, "--name", "a b")
    assert "no name" in refused("store", "show", tmp_path, "--name", "anna")


def test_on_a_terminal_a_password_is_typed_twice(
    gptwright: Command, refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["three words beside", "three words besides", "three words beside", "three words beside"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert "two different ones" in refused("store", "user", tmp_path, "--name", "anna")
    assert "anna comes in as chatter" in gptwright("store", "user", tmp_path, "--name", "anna").err
