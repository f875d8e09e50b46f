from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.collect import collect
from gptwright.reporting.tables import before_and_after


def test_three_tables_tell_before_and_after(whole_run: Path) -> None:
    sft, reward, ppo = before_and_after(collect(whole_run))
    assert (sft.columns, reward.columns, ppo.columns) == (
        ["untrained", "pretrained", "sft"], ["before", "after", "control"], ["sft", "ppo"])  # fmt: skip
    rows = {
        row.name: [cell.text.replace("\u00a0", " ") for cell in row.cells] for row in sft.rows if "bits" not in row.note
    }
    assert rows["held-out form"] == ["0.0 %", "0.0 %", "90.0 %"] and rows["held-out text"] == [
        "7.600",
        "3.200",
        "3.300",
    ]
    assert [cell.interval for cell in reward.rows[0].cells] == ["45.0–55.0", "75.0–85.0", "45.0–55.0"]
    assert [row.name for row in ppo.rows[:5]] == ["wins", "judge's score", "KL", "different word pairs", "words"]


def test_a_control_that_is_missing_is_a_dash(whole_run: Path) -> None:
    (whole_run / "07-reward-control/stage.json").unlink()
    reward = before_and_after(collect(whole_run))[1]
    assert reward.rows[0].cells[2].text == "–"


def test_nothing_measured_gives_no_table(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "04-sft", "sft", complete=False)
    assert before_and_after(collect(tmp_path)) == []
