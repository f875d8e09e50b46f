import json

import torch

from gptwright.foundations import device


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
