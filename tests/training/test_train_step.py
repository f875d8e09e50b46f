import gc
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gptwright.foundations.errors import ResourceError
from gptwright.training.batch_shard import BatchShard
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import ENOUGH, FACTOR, TrainState
from gptwright.training.train_step import Step, train_steps
from step_task import StepTask

TESTS = Path(__file__).parents[1]
DATA = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
NO_MEMORY = {
    "Python": MemoryError(),
    "the processor": RuntimeError(
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"
    ),
    "a GPU": torch.OutOfMemoryError("CUDA out of memory."),
}


def run(
    train_state: TrainState,
    steps: int = 5,
    room: int = 12,
    error: Exception = NO_MEMORY["Python"],
    shard: BatchShard | None = None,
) -> tuple[nn.Linear, list[Step]]:
    """Trains on pieces of `DATA`; pieces of more than `room` rows raise `error` after a first part was added."""
    model = nn.Linear(3, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)

    def losses(batch: int, shard: BatchShard) -> Iterator[Tensor]:
        for rows in shard.slices(len(DATA)):
            loss = model(DATA[rows] + batch).square().sum() / len(DATA)
            if len(DATA[rows]) > room and rows.start:
                raise error
            yield loss
            if len(DATA[rows]) > room:
                raise error

    optimizer = Optimizer(model)
    done = train_steps(
        StepTask(losses, len(DATA)),
        optimizer,
        lambda step: 0.1 / (step + 1),
        train_state,
        steps=steps,
        shard=shard or BatchShard(),
    )
    return model, list(done)


def same(one: nn.Module, two: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_parts_of_a_batch_add_up_to_the_batch() -> None:
    (whole, steps), (parted, others) = run(TrainState()), run(TrainState(micro_batches=4))
    for a, b in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    for one, two in zip(steps, others, strict=True):
        assert one.loss == pytest.approx(two.loss)
        assert one.gradient_norm == pytest.approx(two.gradient_norm)


def test_steps_say_what_happened() -> None:
    _, steps = run(TrainState(done=2))
    assert [step.number for step in steps] == [3, 4, 5]
    assert [step.rate for step in steps] == pytest.approx([0.1 / 3, 0.1 / 4, 0.1 / 5])


def test_batches_that_were_passed_over_are_not_read() -> None:
    assert [step.loss for step in run(TrainState(skipped_batches=3), steps=1)[1]] == [
        run(TrainState(done=3), steps=4)[1][0].loss
    ]


def test_a_caller_may_stop_between_steps() -> None:
    model = nn.Linear(1, 1)
    asked: list[int] = []

    def losses(batch: int, shard: BatchShard) -> Iterator[Tensor]:
        asked.append(batch)
        yield model(torch.ones(1, 1)).sum()

    for step in train_steps(StepTask(losses, len(DATA)), Optimizer(model), lambda step: 0.1, TrainState(), steps=100):
        if step.number == 3:
            break
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("error", NO_MEMORY.values(), ids=list(NO_MEMORY))
def test_without_memory_the_same_batch_is_done_in_smaller_pieces(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    train_state = TrainState()
    model, steps = run(train_state, room=3, error=error)
    assert train_state.micro_batches == 4
    assert same(model, run(TrainState(micro_batches=4))[0]), "what the failed attempts added is dropped"
    assert len(steps) == 5
    said = capsys.readouterr().err.splitlines()
    assert said == [f"out of memory: from here on a batch is worked on in {n} micro-batches" for n in (2, 4)]


def test_what_was_decided_once_is_kept() -> None:
    train_state = TrainState()
    run(train_state, steps=2, room=5)
    assert train_state.micro_batches == 4
    assert run(train_state, room=5)[1][0].number == 3


def test_a_row_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ResourceError, match=r"memory for one row(.|\n)*Lower the length"):
        run(train_state := TrainState(), room=0)
    assert train_state.micro_batches == 12


def test_a_process_among_others_does_not_change_its_pieces_alone() -> None:
    with pytest.raises(ResourceError, match="Begin with --micro-batches 2"):
        run(TrainState(), room=3, shard=BatchShard(0, 2))


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        run(TrainState(), room=3, error=RuntimeError("shapes do not fit"))


def test_the_failed_attempt_is_freed_before_the_next() -> None:
    """No tensor with a graph may be alive when the smaller pieces begin."""
    alive: list[int] = []
    model = nn.Linear(3, 1)
    gc.disable()

    def losses(batch: int, shard: BatchShard) -> Iterator[Tensor]:
        alive.append(sum(type(o) is Tensor and o.grad_fn is not None for o in gc.get_objects()))
        for rows in shard.slices(len(DATA)):
            big = model(DATA[rows]).square()
            if shard.micro_batches == 1:
                raise MemoryError
            yield big.mean()

    try:
        list(
            train_steps(
                StepTask(losses, len(DATA)),
                Optimizer(model),
                lambda step: 0.1,
                TrainState(),
                steps=1,
            )
        )
    finally:
        gc.enable()
    assert len(set(alive)) == 1


def test_a_spike_changes_nothing_and_is_counted() -> None:
    model = nn.Linear(1, 1, bias=False)
    optimizer = Optimizer(model, None)
    train_state = TrainState(done=0, norms=[2.0] * ENOUGH)
    sizes = [1.0, 2.1 * FACTOR, float("nan"), 1.9 * FACTOR]

    def losses(batch: int, shard: BatchShard) -> Iterator[Tensor]:
        yield model(torch.full((1, 1), sizes[batch])).sum()

    weights = [model.weight.item()]
    bad: list[int] = []
    for _ in train_steps(StepTask(losses), optimizer, lambda step: 0.1, train_state, steps=4):
        weights.append(model.weight.item())
        bad.append(train_state.bad)
    assert [a != b for a, b in pairwise(weights)] == [True, False, False, True]
    assert bad == [0, 1, 2, 0] and optimizer.skipped == 2


LIMITED = """
import resource, torch
from step_task import StepTask
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps
from gptwright.training.optimizer import Optimizer
torch.set_num_threads(1)
model = torch.nn.Linear(8, 8)
data = torch.ones(1024, 8)
train_state = TrainState()

def loss(step, shard):
    for rows in shard.slices(1024):
        yield (model(data[rows]).repeat(1, 8192) ** 2).sum() / 2**23

task, optimizer = StepTask(loss, 1024), Optimizer(model)
list(train_steps(task, optimizer, lambda step: 0.1, TrainState(micro_batches=64), steps=1))
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
done = [step.number for step in train_steps(task, optimizer, lambda step: 0.1, train_state, steps=2)]
print(done, train_state.micro_batches)
"""


def test_a_process_that_may_not_have_more_memory_gets_through() -> None:
    """The batch needs some GiB in one piece, and may have half of one."""
    done = subprocess.run([sys.executable, "-c", LIMITED], cwd=TESTS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    steps, micro_batches = done.stdout.rsplit(" ", 1)
    assert steps == "[1, 2]" and 2 <= int(micro_batches) <= 32
    assert "out of memory: from here on a batch is worked on in 2 micro-batches" in done.stderr
