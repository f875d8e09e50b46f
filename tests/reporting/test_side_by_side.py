import json
import shutil
from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import Run, collect
from gptwright.reporting.side_by_side import (
    all_hashes,
    ancestry,
    at_a_glance,
    costs,
    equality,
    names_of,
    results,
    verdict,
)
from gptwright.reporting.tables import Row

NAMES = ["my run", "other"]
Writer = Callable[..., Path]


def texts(rows: list[Row]) -> dict[str, list[str]]:
    return {row.name: [cell.text.replace("\u00a0", " ") for cell in row.cells] for row in rows}


def both(*paths: Path) -> list[Run]:
    return [collect(path) for path in paths]


def test_runs_of_one_name_are_told_apart_by_the_folders_above(tmp_path: Path, stage_writer: Writer) -> None:
    for name in ("a/run", "b/run", "b/third"):
        stage_writer(tmp_path / name / "01-prepare", "prepare")
    assert names_of(both(tmp_path / "a/run", tmp_path / "b/third")) == ["run", "third"]
    three = both(tmp_path / "a/run", tmp_path / "b/run", tmp_path / "b/third")
    assert names_of(three) == ["a/run", "b/run", "b/third"]


def test_a_glance_tells_state_health_and_figures(whole_run: Path, other_run: Path) -> None:
    for name in ("07-reward-control", "08-ppo"):
        shutil.rmtree(other_run / name)
    runs = both(whole_run, other_run)
    rows = texts(at_a_glance(runs, [check(run) for run in runs]))
    assert rows["made"] == ["A chat model tuned by preferences", "A chat model"]
    assert rows["state"] == ["finished", "reward-control, ppo not begun"]
    assert rows["wins over sft"] == ["90 %", "–"] and rows["minutes asked for"] == ["2", "2"]
    assert rows["health"][0] == "21 healthy"


def test_results_are_the_columns_of_the_end_with_their_intervals(whole_run: Path, other_run: Path) -> None:
    path = other_run / "06-reward/evaluation.json"
    path.write_text(path.read_text().replace("0.8,", "0.7,"))
    sft, reward, policy = results(NAMES, both(whole_run, other_run))
    assert (sft.title, reward.title, policy.title) == ("Supervised fine-tuning", "Reward model", "PPO")
    assert sft.columns == NAMES and texts(sft.rows)["held-out form"] == ["90.0 %", "90.0 %"]
    assert [row.name for row in sft.rows].count("held-out text") == 2  # nats a token, bits a byte
    assert texts(reward.rows)["pairs ordered rightly"] == ["80.0 %", "70.0 %"]
    assert [cell.interval for cell in policy.rows[0].cells] == ["85.0–95.0", "85.0–95.0"]


def test_policies_of_two_ways_share_a_table_and_notes_that_differ_stand_beside_each_other(
    whole_run: Path, other_run: Path
) -> None:
    path = other_run / "08-ppo/stage.json"
    path.write_text(path.read_text().replace('"verb": "ppo"', '"verb": "grpo"'))
    path = other_run / "08-ppo/evaluation.json"
    path.write_text(path.read_text().replace('"ppo"', '"grpo"').replace("plain-words", "friendly"))
    table = results(NAMES, both(whole_run, other_run))[-1]
    assert table.title == "PPO / GRPO"
    notes = "of 100 held-out prompts, by the rule “plain-words” / of 100 held-out prompts, by the rule “friendly”"
    assert table.rows[0].note == notes


def test_what_one_run_did_not_measure_is_a_dash(whole_run: Path, other_run: Path) -> None:
    for name in ("06-reward", "07-reward-control", "08-ppo"):
        shutil.rmtree(other_run / name)
    policy = results(NAMES, both(whole_run, other_run))[-1]
    assert texts(policy.rows)["wins"] == ["90.0 %", "–"]
    assert verdict(NAMES, both(whole_run, other_run)) == (
        "By held-out form: by their answers they cannot be told apart."
    )
    shutil.rmtree(other_run / "04-sft")
    assert verdict(NAMES, both(whole_run, other_run)) == ""


def test_costs_are_seconds_by_stage_with_the_plan(whole_run: Path, other_run: Path) -> None:
    rows = costs(both(whole_run, other_run))
    assert texts(rows)["pretrain"] == ["41 s", "41 s"] and texts(rows)["together"] == ["1 min 48 s"] * 2
    pretrain = next(row for row in rows if row.name == "pretrain")
    assert pretrain.cells[0].interval.replace("\u00a0", " ") == "40 s planned"


def test_hashes_tell_up_to_where_runs_are_the_same(whole_run: Path, other_run: Path) -> None:
    runs = both(whole_run, other_run)
    rows = texts(ancestry(NAMES, runs))
    assert rows["prepare"][1] == rows["tokenize"][1] == "as my run" and rows["data"] == ["–", "–"]
    assert len({*rows["pretrain"]}) == 2 and all(len(text) == 12 for text in rows["pretrain"])
    assert equality(NAMES, runs) == ["The same in all of them, by hash: prepare, tokenize."]
    listed = all_hashes(NAMES, runs)
    assert all(len(digest) == 64 for *_, digest in listed) and len(listed) == 2 * (8 + 14)
    assert rows["pretrain"][0] == next(d for w, what, d in listed if (w, what) == ("my run/03-pretrain", "out"))[:12]


def test_equal_runs_are_called_equal(whole_run: Path, other_run: Path) -> None:
    copy = Path(shutil.copytree(whole_run, whole_run.parent / "copy"))
    said = "my run and copy are equal: every stage left the same files, by hash."
    assert equality(["my run", "copy"], both(whole_run, copy)) == [said]
    first, rest = equality(["my run", "other", "copy"], both(whole_run, other_run, copy))
    assert first == said and rest == "The same in all of them, by hash: prepare, tokenize."


def test_nothing_in_common_is_said_and_unfinished_runs_are_not_equal(tmp_path: Path, stage_writer: Writer) -> None:
    for name in ("a", "b"):
        stage_writer(tmp_path / name / "01-prepare", "prepare", complete=False)
    runs = both(tmp_path / "a", tmp_path / "b")
    assert equality(["a", "b"], runs) == ["No stage left the same files in all of them."]
    assert ancestry(["a", "b"], runs)[1].cells[0].interval == "01-prepare, stopped"


def test_a_data_file_that_changed_changes_the_hash_of_the_data(whole_run: Path, other_run: Path) -> None:
    for run, digest in ((whole_run, "1"), (other_run, "2")):
        path = run / "01-prepare/stage.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": {"a.txt": digest * 64}}))
    data = ancestry(NAMES, both(whole_run, other_run))[0]
    assert len({cell.text for cell in data.cells}) == 2 and data.cells[0].interval == "a.txt"
