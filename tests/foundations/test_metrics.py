from collections.abc import Mapping
from pathlib import Path

import pytest

from gptwright.foundations.errors import ResourceError
from gptwright.foundations.metrics import Metrics, read_metrics


def test_what_is_logged_is_read(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    assert read_metrics(metrics.path) == []
    metrics.log(1, loss_nats=2.12345678, learning_rate=0.001)
    metrics.log(2, loss_nats=float("inf"))
    assert read_metrics(metrics.path) == [
        {"step": 1, "loss_nats": 2.123457, "learning_rate": 0.001},
        {"step": 2, "loss_nats": None},
    ]


def test_small_rates_keep_their_digits(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.log(1, learning_rate=1.2345678e-7)
    assert read_metrics(metrics.path)[0]["learning_rate"] == pytest.approx(1.2345678e-7, rel=1e-4)


def test_rewinding_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.rewind(3)
    for step in range(1, 6):
        metrics.log(step, loss_nats=1.0)
    metrics.rewind(3)
    metrics.log(4, loss_nats=2.0)
    assert [(line["step"], line["loss_nats"]) for line in read_metrics(metrics.path)] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 2),
    ]


def test_a_half_written_last_line_is_left_out_and_mended_by_rewinding(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.log(1, loss_nats=1.0)
    with metrics.path.open("a") as file:
        file.write('{"step": 2, "loss_na')
    assert read_metrics(metrics.path) == [{"step": 1, "loss_nats": 1.0}]
    metrics.rewind(2)
    metrics.log(2, loss_nats=1.0)
    assert [line["step"] for line in read_metrics(metrics.path)] == [1, 2]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(ResourceError):
        Metrics(tmp_path / "a" / "metrics.jsonl").log(1, loss_nats=1.0)


class Listener:
    """Notes what it is told, and fails when told to."""

    def __init__(self, failing: str = "") -> None:
        self.told: list[object] = []
        self.failing = failing

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if self.failing == "log":
            raise OSError("no network")
        self.told.append((step, dict(values)))

    def close(self) -> None:
        if self.failing == "close":
            raise KeyError("nothing open")
        self.told.append("closed")


def test_listeners_are_told_and_one_that_fails_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    good, mute, rude = Listener(), Listener("log"), Listener("close")
    metrics.listeners = [mute, good, rude]
    metrics.log(1, loss_nats=2.5)
    metrics.log(2, loss_nats=2.0)
    metrics.close()
    metrics.log(3, loss_nats=1.5)
    assert good.told == [(1, {"loss_nats": 2.5}), (2, {"loss_nats": 2.0}), "closed"]
    assert [line["step"] for line in read_metrics(metrics.path)] == [1, 2, 3]
    assert capsys.readouterr().err.count("Listener gets no more figures: no network") == 1
