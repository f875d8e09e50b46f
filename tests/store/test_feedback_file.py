"""The file of ratings that an older gptwright left: read as it was read, and taken in once."""

import json
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.store.database import Store
from gptwright.store.exports import thumbs
from gptwright.store.feedback_file import open_run_store, read_feedback, take_feedback_file

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\n“你好” \u2028 </script>"}]
TIME = "2026-01-02T03:04:05+00:00"


def rating(id: str, thumb: str = "up", **more: Any) -> dict[str, Any]:
    return {"id": id, "time": TIME, "rating": thumb, "messages": CHAT, "model": "tiny"} | more


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def kept(store: Store) -> list[dict[str, Any]]:
    with store.read() as session:
        return list(thumbs(session))


def test_a_changed_mind_replaces(tmp_path: Path) -> None:
    path = written(tmp_path / "x", rating("a"), rating("b"), rating("a", "down"), rating("a", user="anna"))
    assert [(t.id, t.rating, t.user) for t in read_feedback(path)] == [
        ("b", "up", None),
        ("a", "down", None),
        ("a", "up", "anna"),
    ]


def test_a_line_cut_short_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "x", rating("a"))
    with path.open("ab") as file:
        file.write(b'{"id": "b", "rating": "u\n' + json.dumps(rating("c")).encode())
    assert [t.id for t in read_feedback(path)] == ["a", "c"]
    assert "line 2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "line", ["3", "{}", '{"id": "a", "time": "", "rating": "x", "messages": [], "model": ""}', "null"]
)
def test_a_line_of_another_kind_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(ArtifactError, match="line 2"):
        read_feedback(path)


def test_no_file_is_no_ratings(tmp_path: Path) -> None:
    assert read_feedback(tmp_path / "nothing.jsonl") == ()


def test_they_come_out_as_they_went_in_whatever_they_were_called(store: Store, tmp_path: Path) -> None:
    old = {name: value for name, value in rating("c").items() if name != "rating"} | {"thumb": "down"}
    path = written(tmp_path / "x", rating("a", user="anna"), rating("b", "down"), old, rating("d", time="once"))
    assert take_feedback_file(store, path) == 4
    found = kept(store)
    assert found[:3] == [rating("a", user="anna"), rating("b", "down"), rating("c", "down")]
    assert (found[3]["id"], found[3]["messages"]) == ("d", CHAT)


def test_the_first_start_takes_them_in_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "run/feedback.jsonl", rating("a"), rating("b", "down"))
    with open_run_store(path.parent) as store:
        assert len(kept(store)) == 2
    assert "2 ratings of" in (said := " ".join(capsys.readouterr().err.split())) and "store.sqlite" in said
    written(path, rating("a", "down"), rating("b"), rating("c"))  # an older gptwright wrote on
    for _ in range(2):
        with open_run_store(path.parent) as store:
            assert [(line["id"], line["rating"]) for line in kept(store)] == [("a", "up"), ("b", "down"), ("c", "up")]
    assert "1 ratings of" in " ".join(capsys.readouterr().err.split())
    assert path.is_file()


def test_a_file_of_another_kind_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "feedback.jsonl").write_text("{}\n")
    with pytest.raises(ArtifactError, match="line 1"):
        open_run_store(tmp_path)
