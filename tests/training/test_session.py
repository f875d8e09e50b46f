import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gptwright.foundations.errors import Interrupted
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import open_stage
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.objectives.language import next_token_loss
from gptwright.training.optimise import optimise
from gptwright.training.optimizer import Optimizer, hold_matrices_in
from gptwright.training.schedules import cosine
from gptwright.training.session import session
from gptwright.training.share import Share

STEPS = 9


def train(path: Path, disturb: Callable[[int], object] = lambda step: None) -> dict[str, Tensor]:
    """A whole stage in miniature; gives the masters and moments it ends with."""
    folder = open_stage(path, "pretrain", {"steps": STEPS}, {})
    network = build(GPT2Config(vocab=20, context=8, width=8, heads=2, layers=1), seed=1)
    hold_matrices_in(network, torch.bfloat16)
    optimizer = Optimizer(network.named_parameters())

    def losses(step: int, share: Share) -> Iterator[Tensor]:
        disturb(step)
        ids = torch.randint(20, (4, 9), generator=torch.Generator().manual_seed(step))
        yield next_token_loss(network.hidden(ids[:, :-1]), network.embed.weight, ids[:, 1:])

    with session(folder, optimizer, steps=STEPS, save_every=4) as run:
        if "noted" not in run.state:
            run.state["noted"] = run.first
        for step in optimise(optimizer, losses, cosine(0.01, STEPS, 2), first=run.first, steps=STEPS):
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm)
        assert run.state == {"noted": 0}
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, optimizer.masters[name].to(parameter.dtype))
    return optimizer.tensors()


def at(step: int, act: Callable[[], object]) -> Callable[[int], object]:
    return lambda now: act() if now == step else None


def crash() -> None:
    raise MemoryError


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path: Path, number: int) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(Interrupted, match="pretrain saved at step 3 of 9") as stopped:
        train(tmp_path / "stopped", at(2, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.exit_code == 128 + number
    assert same(train(tmp_path / "stopped"), whole)
    assert read_metrics(tmp_path / "stopped" / "metrics.jsonl") == read_metrics(tmp_path / "whole" / "metrics.jsonl")


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    for step in (1, 6, 7):
        with pytest.raises(MemoryError):
            train(tmp_path / "killed", at(step, crash))
    assert same(train(tmp_path / "killed"), whole)
    assert read_metrics(tmp_path / "killed" / "metrics.jsonl") == read_metrics(tmp_path / "whole" / "metrics.jsonl")


def test_a_run_killed_after_its_last_step_has_nothing_left_to_do(tmp_path: Path) -> None:
    whole = train(tmp_path / "run")
    assert same(train(tmp_path / "run", lambda step: crash()), whole)


def test_a_stop_in_the_last_step_lets_the_stage_finish(tmp_path: Path) -> None:
    train(tmp_path / "run", at(STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGTERM)))
