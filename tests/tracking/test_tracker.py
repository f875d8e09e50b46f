import sys
from pathlib import Path

import pytest

from gptwright.configs.command_line import read_command
from gptwright.configs.verbs import VERBS
from gptwright.foundations.errors import ConfigError
from gptwright.tracking.tracker import TRACKERS, open_trackers


def test_an_unknown_tracker_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'tensorboard'"):
        open_trackers(["tensorbord"], tmp_path, {})


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_not_there_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard" if name == "tensorboard" else name, None)
    with pytest.raises(ConfigError, match=rf"pip install 'gptwright\[{name}\]'"):
        open_trackers([name], tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_what_a_package_refuses_is_told_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def init(self, **settings: object) -> None:
            raise ValueError("no key")

    monkeypatch.setitem(sys.modules, "wandb", Refusing())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"got 'no key'(.|\n)*leave it out of --track"):
        open_trackers(["wandb"], tmp_path, {})


class Recorder:
    """Stands in for a package: notes every call by its name."""

    def __init__(self, calls: list[tuple[object, ...]], name: str = "") -> None:
        self._calls, self._name = calls, name

    def __getattr__(self, name: str) -> "Recorder":
        return Recorder(self._calls, f"{self._name}.{name}")

    def __call__(self, *given: object, **named: object) -> "Recorder":
        self._calls.append((self._name, *given, named))
        return self


@pytest.mark.parametrize(
    ("name", "logged", "closed"),
    [
        ("wandb", (".init.log", {"loss_nats": 2.0, "step": 7}, {}), ".init.finish"),
        ("trackio", (".init.log", {"loss_nats": 2.0}, {"step": 7}), ".init.finish"),
    ],
)
def test_those_with_wandbs_interface_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, logged: tuple[object, ...], closed: str
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setitem(sys.modules, name, Recorder(calls))  # type: ignore[arg-type]
    (tracker,) = open_trackers([name], tmp_path / "run" / "03-pretrain", {"steps": 9})
    tracker.log(7, {"loss_nats": 2.0})
    tracker.close()
    assert [call[0] for call in calls] == [".init", ".init.log", closed]
    assert calls[0][-1] | {"project": "gptwright", "name": "run/03-pretrain", "config": {"steps": 9}} == calls[0][-1]  # type: ignore[operator]
    assert calls[1] == logged


def test_mlflow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setitem(sys.modules, "mlflow", Recorder(calls))  # type: ignore[arg-type]
    (tracker,) = open_trackers(["mlflow"], tmp_path / "run", {"steps": 9})
    tracker.log(7, {"loss_nats": 2.0})
    tracker.close()
    assert [call[0] for call in calls] == [f".MlflowClient{'' if i == 0 else '.' + name}" for i, name in enumerate(
        ("", "get_experiment_by_name", "create_run", "log_param", "log_metric", "set_terminated"))]  # fmt: skip
    assert calls[4][2:] == ("loss_nats", 2.0, {"step": 7})


@pytest.mark.parametrize("verb", ["pretrain", "sft", "reward", "ppo", "run", "start"])
def test_the_help_names_them_all(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_command(VERBS[verb], ["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in TRACKERS)
