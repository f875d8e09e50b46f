import json

import pytest
import torch

from gptwright.foundations import device
from gptwright.foundations.errors import ConfigError, ResourceError


def test_the_fast_format_is_one_of_two_and_measured_once() -> None:
    assert device.fast_dtype() in (torch.float32, torch.bfloat16)
    assert device.fast_dtype() is device.fast_dtype()


def test_the_machine_can_be_written_down() -> None:
    machine = device.describe_machine()
    assert json.loads(json.dumps(machine)) == machine
    assert machine["cores"] >= 1
    assert 0 < device.peak_memory_gb() < 4096


def test_threads_are_set() -> None:
    device.use_threads(2)
    assert torch.get_num_threads() == 2


def test_the_shortest_time_counts() -> None:
    calls: list[int] = []
    assert device.best_seconds(lambda: calls.append(1), repeats=4) >= 0
    assert len(calls) == 5


def test_the_processor_is_always_there() -> None:
    assert device.choose_device("cpu", place=7) == torch.device("cpu")
    assert device.choose_device("auto").type in device.DEVICES


@pytest.mark.parametrize(("name", "place", "said"), [
    ("tpu", 0, "needed a device; got 'tpu'"),
    ("cuda", 0, "needed a device cuda; got a machine, or a build of torch, without one"),
    ("cuda", 99, "needed a device cuda for process 100 of this machine; got"),
])  # fmt: skip
def test_a_device_that_is_not_there(name: str, place: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises((ConfigError, ResourceError), match=said):
        device.choose_device(name, place)


def test_it_is_said_which_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    device._introduce.cache_clear()  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        assert device.use_device("cpu") == torch.device("cpu")
    assert capsys.readouterr().err == "device: cpu (asked for)\n"  # once


def test_a_model_lies_where_its_parameters_lie() -> None:
    assert device.device_of(torch.nn.Linear(1, 1, device="meta")) == torch.device("meta")
