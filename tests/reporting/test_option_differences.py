import json
import shutil
from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.collect import collect
from gptwright.reporting.option_differences import option_differences

Writer = Callable[..., Path]


def shown(*paths: Path) -> list[tuple[str, str, list[str]]]:
    rows = option_differences([collect(path) for path in paths])
    return [(row.name, row.note, [cell.text for cell in row.cells]) for row in rows]


def test_only_what_is_otherwise_is_shown_with_its_stage(whole_run: Path, other_run: Path) -> None:
    assert shown(whole_run, other_run) == [
        ("steps", "pretrain", ["100", "90"]),
        ("model.layers", "pretrain", ["–", "3"]),
    ]


def test_the_same_difference_of_several_stages_is_one_row(tmp_path: Path, stage_writer: Writer) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        for number, verb in enumerate(("pretrain", "sft"), 1):
            stage_writer(tmp_path / name / f"0{number}-{verb}", verb, config={"seed": seed},
                         reads=["01-pretrain"] if verb == "sft" else ())  # fmt: skip
    assert shown(tmp_path / "a", tmp_path / "b") == [("seed", "pretrain, sft", ["1", "2"])]


def test_a_stage_that_one_lacks_is_one_row_and_the_rest_is_compared(whole_run: Path, other_run: Path) -> None:
    shutil.rmtree(other_run / "08-ppo")
    assert ("the stage", "ppo", ["done", "–"]) in shown(whole_run, other_run)


def test_files_are_compared_by_their_hash_and_what_the_run_made_itself_is_no_difference(
    tmp_path: Path, stage_writer: Writer
) -> None:
    for name, digest in (("a", "1" * 64), ("b", "2" * 64)):
        run = tmp_path / name
        stage_writer(run / "01-pretrain", "pretrain")
        config = {"base": str(run / "01-pretrain"), "conversations": [f"/{name}/talk.jsonl", f"/{name}/more.jsonl"]}
        sft = stage_writer(run / "02-sft", "sft", config=config, reads=["01-pretrain"]) / "stage.json"
        inputs = {"base": "x", "conversations[0]": "a" * 64, "conversations[1]": digest}
        record = json.loads(sft.read_text())
        sft.write_text(json.dumps(record | {"inputs": record["inputs"] | inputs}))
    talk = "talk.jsonl aaaaaaaaaaaa"
    assert shown(tmp_path / "a", tmp_path / "b") == [
        ("conversations", "sft", [f"{talk}, more.jsonl {'1' * 12}", f"{talk}, more.jsonl {'2' * 12}"])
    ]


def test_files_that_no_option_names_are_compared_too(tmp_path: Path, stage_writer: Writer) -> None:
    """prepare notes what a folder held by its files' names."""
    for name, digest in (("a", "1" * 64), ("b", "2" * 64)):
        path = stage_writer(tmp_path / name / "01-prepare", "prepare", config={"data": ["texts"]}) / "stage.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": {"texts/one.txt": digest}}))
    assert shown(tmp_path / "a", tmp_path / "b") == [("texts/one.txt", "prepare", ["1" * 12, "2" * 12])]


def test_values_are_words_a_person_reads(tmp_path: Path, stage_writer: Writer) -> None:
    one = {"pack": True, "rule": "", "learning_rate": 3e-4, "shots": []}
    other = {"pack": False, "rule": "friendly", "learning_rate": 0.003, "shots": [1, 2]}
    for name, config in (("a", one), ("b", other)):
        stage_writer(tmp_path / name / "01-sft", "sft", config=config)
    assert shown(tmp_path / "a", tmp_path / "b") == [
        ("pack", "sft", ["yes", "no"]),
        ("rule", "sft", ["none", "friendly"]),
        ("learning rate", "sft", ["0.0003", "0.003"]),
        ("shots", "sft", ["none", "1, 2"]),
    ]
