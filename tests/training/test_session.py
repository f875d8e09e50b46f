import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gptwright.configs.training import TrainingOptions
from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import ConfigError, Interrupted, ResourceError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import open_stage
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.objectives.language import next_token_loss
from gptwright.training import checkpoint
from gptwright.training.batch_shard import BatchShard
from gptwright.training.distributed.layout import Layout
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.schedules import cosine
from gptwright.training.session import session
from gptwright.training.train_step import train_steps
from step_task import StepTask

STEPS = 9


def train(path: Path, disturb: Callable[[int], object] = lambda batch: None, every: int = 4) -> dict[str, Tensor]:
    """A whole stage in miniature; gives the masters and moments it ends with."""
    folder = open_stage(path, "pretrain", {"steps": STEPS}, {})
    network = build(GPT2Config(vocab=20, context=8, width=8, heads=2, layers=1), seed=1)
    cast_linears(network, torch.bfloat16)
    optimizer = Optimizer(network)

    def losses(batch: int, shard: BatchShard) -> Iterator[Tensor]:
        ids = torch.randint(20, (4, 9), generator=torch.Generator().manual_seed(batch))
        for rows in shard.slices(4):
            size = disturb(batch)
            loss = next_token_loss(network.hidden(ids[rows, :-1]), network.embed.weight, ids[rows, 1:], count=32)
            yield loss * size if isinstance(size, float) else loss

    task, options = StepTask(losses, rows=4), TrainingOptions(save_every=every)
    with session(folder, optimizer, options, steps=STEPS) as run:
        if "noted" not in run.state:
            run.state["noted"] = run.train_state.done
        for step in train_steps(task, optimizer, cosine(0.01, STEPS, 2), run.train_state, steps=STEPS):
            run.record(step.number, **step.metrics)
        assert run.state == {"noted": 0}
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, optimizer.masters[name].to(parameter.dtype))
    return optimizer.tensors()


def at(step: int, act: Callable[[], object]) -> Callable[[int], object]:
    return lambda now: act() if now == step else None


def crash() -> None:
    raise KeyError


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
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
        with pytest.raises(KeyError):
            train(tmp_path / "killed", at(step, crash))
    assert same(train(tmp_path / "killed"), whole)
    assert read_metrics(tmp_path / "killed" / "metrics.jsonl") == read_metrics(tmp_path / "whole" / "metrics.jsonl")


def test_a_run_killed_after_its_last_step_has_nothing_left_to_do(tmp_path: Path) -> None:
    whole = train(tmp_path / "run")
    assert same(train(tmp_path / "run", lambda step: crash()), whole)


def test_a_stop_in_the_last_step_lets_the_stage_finish(tmp_path: Path) -> None:
    train(tmp_path / "run", at(STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGTERM)))


def bad(*batches: int) -> Callable[[int], object]:
    """Losses of those batches are not a number."""
    return lambda batch: float("nan") if batch in batches else None


def lines(path: Path) -> list[dict[str, object]]:
    return read_metrics(path / "metrics.jsonl")


def test_a_bad_batch_is_skipped_and_logged(tmp_path: Path) -> None:
    masters = train(tmp_path / "run", bad(2, 3))
    assert masters["skipped"] == 2
    assert [line.get("skipped_in_a_row") for line in lines(tmp_path / "run")] == [None, None, 1, 2, *[None] * 5]
    assert lines(tmp_path / "run")[2]["loss_nats"] is None
    assert not same(masters, train(tmp_path / "other")), "they would have changed the weights"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bad steps in a row are enough to go back."""
    monkeypatch.setattr("gptwright.training.session.PATIENCE", 2)


@pytest.mark.usefixtures("impatient")
def test_after_several_in_a_row_it_goes_back_and_past_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read: list[int] = []

    def disturb(batch: int) -> object:
        read.append(batch)
        return bad(6, 7)(batch)

    masters = train(tmp_path / "run", disturb)
    assert read == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "after step 8 it is at step 4 again, with batch 8"
    assert masters["skipped"] == 2
    assert [line["step"] for line in lines(tmp_path / "run")] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    assert lines(tmp_path / "run")[4] == {"step": 5, "went_back_from_step": 8}
    said = capsys.readouterr().err
    assert "gradients of 2 batches in a row that are not finite or far too long, at step 8. Back to step 4" in said


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stops", [(3,), (5,), (6,), (7,), (9,), (11,), (4, 6, 8, 10)])
def test_stopped_anywhere_around_bad_batches_the_outcome_is_the_same(tmp_path: Path, stops: tuple[int, ...]) -> None:
    trouble = bad(6, 7)
    whole = train(tmp_path / "whole", trouble)
    for stop in stops:

        def disturb(batch: int, stop: int = stop) -> object:
            if batch == stop:
                os.kill(os.getpid(), signal.SIGTERM)
            return trouble(batch)

        with pytest.raises(Interrupted):
            train(tmp_path / "stopped", disturb)
    assert same(train(tmp_path / "stopped", trouble), whole)
    assert lines(tmp_path / "stopped") == lines(tmp_path / "whole")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("crashes", [(5,), (7,), (8,), (10,), (4, 7, 9, 9)])
def test_killed_anywhere_around_bad_batches_the_outcome_is_the_same(tmp_path: Path, crashes: tuple[int, ...]) -> None:
    trouble = bad(6, 7)
    whole = train(tmp_path / "whole", trouble)
    for number in crashes:
        with pytest.raises(KeyError):
            train(tmp_path / "killed", lambda batch, number=number: crash() if batch == number else trouble(batch))
    assert same(train(tmp_path / "killed", trouble), whole)
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")


@pytest.mark.usefixtures("impatient")
def test_amid_bad_batches_nothing_is_saved(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        train(tmp_path / "run", lambda batch: crash() if batch == 4 else bad(3)(batch))
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [0, 5])
def test_going_back_in_vain_ends_with_a_clear_error(tmp_path: Path, first: int) -> None:
    with pytest.raises(ConfigError, match=r"another outcome after going back 3 times(.|\n)*lower rate"):
        train(tmp_path / "run", bad(*range(first, 99)))


@pytest.mark.usefixtures("impatient")
def test_trouble_that_passes_does_not_add_up(tmp_path: Path) -> None:
    train(tmp_path / "run", bad(1, 2, 5, 6, 9, 10, 13, 14, 17, 18), every=2)


def test_the_pieces_of_a_run_are_those_it_was_saved_with(tmp_path: Path) -> None:
    def starved(batch: int) -> object:
        if batch == 1 and not asked:
            asked.append(batch)
            raise MemoryError
        return None

    asked: list[int] = []
    with pytest.raises(KeyError):
        train(tmp_path / "run", lambda batch: crash() if batch == 5 else starved(batch))
    state = read_json(tmp_path / "run" / "checkpoints" / "step-000004" / "state.json")
    assert state["train_state"]["micro_batches"] == 2


def test_a_disk_that_is_full_stops_the_run_and_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole")
    write = checkpoint.write_pieces

    def full(tensors: dict[str, Tensor], unfinished: Path, layout: Layout) -> None:
        if "8" in unfinished.name:
            raise OSError(28, "No space left on device")
        write(tensors, unfinished, layout)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_pieces", full)
        with pytest.raises(ResourceError, match=r"room on the disk(.|\n)*what was saved before is whole"):
            train(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000004"]
    assert same(train(tmp_path / "run"), whole)
