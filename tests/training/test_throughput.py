"""How long a step takes is the machine's affair; that it is a step, and that measuring ends, is ours."""

import pytest
import torch

from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.throughput import losses, seconds_of, step_seconds

TINY = GPT2Config(vocab=300, context=128, width=16, heads=2, layers=1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_takes_time(optimizer: str) -> None:
    assert 0 < step_seconds(TINY, (2, 16), (1, 8), optimizer_name=optimizer, dtype=torch.float32) < 60


def test_a_loss_for_each_batch() -> None:
    batches = [torch.randint(300, shape) for shape in ((2, 16), (1, 8))]
    assert [loss.item() for loss in losses(build(TINY), batches)] == pytest.approx([5.7, 5.7], abs=0.4)


def test_it_stops_when_the_time_is_up() -> None:
    runs: list[int] = []
    seconds_of(lambda: runs.append(1), enough=10, at_most=0.0)
    assert len(runs) == 1
    runs.clear()
    seconds_of(lambda: runs.append(1), enough=3, at_most=60.0)
    assert len(runs) == 5  # two to warm up


def test_warming_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    seconds = iter([9.0, 8.0, 3.0, 1.0, 2.0])

    def work() -> None:
        nonlocal now
        now += next(seconds)

    monkeypatch.setattr("gptwright.training.throughput.time.perf_counter", lambda: now)
    assert seconds_of(work, enough=3, at_most=60.0) == 2.0
