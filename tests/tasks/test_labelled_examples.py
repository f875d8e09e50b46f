"""Which column is what, which label there is, what is held out, and what is said of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.finetune import OTHER_ROLES, ROLES
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.tasks.labelled_examples import LabelledData, describe, read_labelled


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(
    *data: Path,
    shape: str = "classification",
    heldout: tuple[Path, ...] = (),
    columns: Mapping[str, str] | None = None,
    labels: tuple[str, ...] = (),
    intake: Intake | None = None,
) -> LabelledData:
    named = {role: role for role in (*ROLES[shape], *OTHER_ROLES)} | (columns or {})
    return read_labelled(shape, data, heldout, named, labels, intake or Intake("test"))


def some(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"text": f"text {i}", "label": "ab"[i % 2], **more} for i in range(count)]


def test_rows_say_their_side_and_columns_may_have_other_names(tmp_path: Path) -> None:
    rows = [{"sentence": f"s {i}", "gold": i % 3, "part": "dev" if i > 6 else "train"} for i in range(10)]
    columns = {"text": "sentence", "label": "gold", "split": "part"}
    data = read(table(tmp_path / "a.jsonl", rows), columns=columns)
    assert (data.kind, data.labels, len(data.train), len(data.heldout)) == ("class", ("0", "1", "2"), 7, 3)
    assert [data.target(example) for example in data.heldout] == [1, 2, 0]
    assert data.train[0].texts == ("s 0",) and data.train[0].where.startswith("line 1 of")


def test_a_tenth_is_held_out_where_nothing_is_said_and_groups_stay_together(tmp_path: Path) -> None:
    data = read(table(tmp_path / "a.jsonl", some(200)))
    assert 8 <= len(data.heldout) <= 35
    grouped = read(table(tmp_path / "b.jsonl", [{**row, "group": i % 20} for i, row in enumerate(some(200))]))
    assert {e.group for e in grouped.train}.isdisjoint({e.group for e in grouped.heldout}) and grouped.heldout


def test_what_is_held_out_leaves_train_and_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = [*some(6), {"text": " TEXT  101 ", "label": "a"}, {"text": "text 0", "label": "b"}]
    held = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in (100, 101, 101)]
    intake = Intake("test")
    path = table(tmp_path / "a.jsonl", train)
    data = read(path, heldout=(table(tmp_path / "b.jsonl", held),), intake=intake)
    assert len(data.train) == 7 and len(data.heldout) == 3
    intake.report(describe(data, "classification", 2.0))
    said = " ".join(capsys.readouterr().err.split())
    assert "7 examples to train on (b 57%, a 43%), 2.0 times each, 3 held out (b 67%, a 33%)" in said
    assert "1 repeated in train, 1 of them with other labels" in said
    assert "1 repeated in held-out" in said
    assert "1 dropped (1 whose group or texts are held out)" in said


def test_a_text_of_another_group_leaks_too(tmp_path: Path) -> None:
    rows = [{"text": "same", "label": "a", "group": f"g{i}"} for i in range(40)]
    rows += [{"text": f"text {i}", "label": "b", "group": f"g{i}"} for i in range(40)]
    intake = Intake("test")
    data = read(table(tmp_path / "a.jsonl", rows), intake=intake)
    assert {e.texts for e in data.train}.isdisjoint({e.texts for e in data.heldout})
    assert intake.dropped.counts["whose texts are held out"] + len(data.train) + len(data.heldout) == 80


def test_a_list_holds_all_labels_that_are_true(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels: list[Any] = [["b", "a"], [], "b", [3], None]
    rows = [{"text": f"text {i}", "label": label, "split": "train"} for i, label in enumerate(labels)]
    held = [{"text": "held", "label": ["a", ""], "split": "heldout"}]
    intake = Intake("test")
    data = read(table(tmp_path / "a.jsonl", rows + held), intake=intake)
    assert (data.kind, data.labels) == ("labels", ("3", "a", "b"))
    assert [data.target(e).tolist() for e in data.train] == [[0, 1, 1], [0, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert data.target(data.heldout[0]).tolist() == [0, 1, 0]
    intake.report(describe(data, "classification", 1.0))
    said = " ".join(capsys.readouterr().err.split())
    assert "4 examples to train on (b 50%, a 25%, 3 25%)" in said and "1 without a label" in said
    with pytest.raises(InputError, match=r"one of the labels a, b .*'3'"):
        read(table(tmp_path / "b.jsonl", rows + held), labels=("a", "b"))
    choices = [{"context": "c", "choices": ["x", "y"], "label": ["x"]}]
    with pytest.raises(InputError, match="the text of a choice"):
        read(table(tmp_path / "c.jsonl", choices), shape="multiple-choice")


def test_pairs_in_the_other_order_are_the_same_similarity(tmp_path: Path) -> None:
    rows = [{"first": f"a{i}", "second": "b", "label": "yes" if i % 2 else "no"} for i in range(6)]
    held = [{"first": "b", "second": "a3", "label": "yes"}]
    paths = table(tmp_path / "a.jsonl", rows), table(tmp_path / "b.jsonl", held)
    data = read(paths[0], shape="similarity", heldout=(paths[1],))
    assert len(data.train) == 5 and data.kind == "class"


def test_similarity_by_many_numbers_is_a_number(tmp_path: Path) -> None:
    rows = [{"first": f"a{i}", "second": "b", "label": i / 2, "split": "test" if i > 3 else None} for i in range(6)]
    data = read(table(tmp_path / "a.jsonl", rows), shape="similarity")
    assert (data.kind, data.labels) == ("number", ("similarity",))
    assert [data.target(e) for e in data.train] == [0.0, 0.5, 1.0, 1.5]
    middle, spread = data.middle_and_spread
    assert middle == 0.75 and spread == pytest.approx(0.559017)
    declared = read(tmp_path / "a.jsonl", shape="similarity", labels=("0", "0.5", "1", "1.5", "2", "2.5"))
    assert declared.kind == "class", "declared labels are classes"
    two = [row | {"label": i % 2} for i, row in enumerate(rows)]
    assert read(table(tmp_path / "b.jsonl", two), shape="similarity").kind == "class", "so are two"


@pytest.mark.parametrize(("label", "number"), [(1, "1"), ("1", "1"), ("four", "0"), (" five ", "1")])
def test_a_choice_is_named_by_its_text_or_its_number(tmp_path: Path, label: Any, number: str) -> None:
    row = {"context": "c", "choices": ["four", "five"], "label": label}
    rows = [row, row | {"context": "d", "split": "test"}]
    data = read(table(tmp_path / "a.jsonl", rows), shape="multiple-choice")
    assert data.kind == "choice" and data.train[0].label == number and data.train[0].texts == ("c", "four", "five")


def test_choices_may_be_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("context,one,two,label,split\nc,x,y,1,train\nd,x,y,0,test\n")
    data = read(tmp_path / "a.csv", shape="multiple-choice", columns={"choices": "one,two"})
    assert data.train[0].texts == ("c", "x", "y") and data.target(data.train[0]) == 1.0


def test_rows_without_a_text_or_a_label_are_counted(tmp_path: Path) -> None:
    intake = Intake("test")
    rows = [*some(40), {"text": " ", "label": "a"}, {"text": None, "label": "a"}, {"text": "x", "label": None}]
    read(table(tmp_path / "a.jsonl", rows), intake=intake)
    assert dict(intake.dropped.counts) == {"without a text": 2, "without a label": 1}


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        (some(9), {"labels": ("a", "c")}, "one of the labels a, c in line 2"),
        ([{"text": "x", "lable": "a"}] * 3, {}, r"column 'label' in line 1 (.|\n)*Did you mean 'lable'"),
        ([{"text": 5, "label": "a"}], {}, "text in 'text' in line 1"),
        ([{"text": f"{i}", "label": "a"} for i in range(9)], {}, "two classes or more; got 'a' only"),
        (some(9, split="test"), {}, "labelled examples to train on"),
        (some(9, split="tset"), {}, "'train' or 'heldout' as split in line 1"),
        ([{"text": "", "label": "a"}] * 3, {}, "labelled examples to train on; got none; 3 dropped"),
        ([{"context": "c", "choices": ["x"], "label": 0}], {"shape": "multiple-choice"}, "two choices or more"),
        ([{"context": "c", "choices": ["x", "y"], "label": 2}], {"shape": "multiple-choice"}, "from 0 to 1"),
    ],
)
def test_what_is_refused(tmp_path: Path, rows: list[dict[str, Any]], more: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(table(tmp_path / "a.jsonl", rows), **more)
