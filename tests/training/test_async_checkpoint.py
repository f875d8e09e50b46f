import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gptwright.foundations.errors import ResourceError
from gptwright.training import async_checkpoint, checkpoint
from gptwright.training.async_checkpoint import Saving
from gptwright.training.checkpoint import newest_checkpoint
from gptwright.training.distributed.layout import Layout


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is written before it is set."""
    opened = threading.Event()
    write = checkpoint.write_pieces

    def wait(tensors: dict[str, Tensor], unfinished: Path, layout: Layout) -> None:
        assert opened.wait(30)
        write(tensors, unfinished, layout)

    monkeypatch.setattr(checkpoint, "write_pieces", wait)
    return opened


def found(folder: Path) -> tuple[list[float], dict[str, Any]]:
    newest = newest_checkpoint(folder)
    assert newest is not None
    return newest[0]["w"].tolist(), newest[1]


def test_what_is_saved_is_what_was_there_when_it_was_asked_for(tmp_path: Path, gate: threading.Event) -> None:
    weights = torch.tensor([1.0, 2.0])
    with Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(7, {"w": weights}, {"note": 1})
        weights.zero_()
        gate.set()
    assert found(tmp_path) == ([1.0, 2.0], {"step": 7, "note": 1})


def test_the_next_save_waits_for_the_one_before(tmp_path: Path, gate: threading.Event) -> None:
    with Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(1, {"w": torch.ones(1)}, {})
        threading.Timer(0.2, gate.set).start()
        saves.save(2, {"w": torch.zeros(1)}, {})
        assert found(tmp_path)[1]["step"] == 1 or not gate.is_set()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000001", "step-000002"]


def test_tensors_that_change_their_shape_or_format(tmp_path: Path) -> None:
    with Saving(tmp_path, every=1, keep_checkpoints=9) as saves:
        for step, tensor in enumerate((torch.ones(2), torch.ones(3, 2).T, torch.ones(3, dtype=torch.int64))):
            saves.save(step, {"w": tensor}, {})
            saves.wait()
            newest = newest_checkpoint(tmp_path)
            assert newest is not None and torch.equal(newest[0]["w"], tensor) and newest[0]["w"].dtype == tensor.dtype


def fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: dict[str, Tensor], unfinished: Path, layout: Layout) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_pieces", full)


@pytest.mark.parametrize("look", [Saving.wait, lambda saves: (saves._thread.join(), saves.check())])
def test_what_kept_it_from_writing_is_raised_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: Callable[[Saving], object]
) -> None:
    fail(monkeypatch)
    with Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(1, {"w": torch.ones(1)}, {})
        with pytest.raises(ResourceError, match="room on the disk"):
            look(saves)
        saves.check()


def test_the_end_raises_it_too_unless_there_is_another_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(monkeypatch)
    with pytest.raises(ResourceError), Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(1, {"w": torch.ones(1)}, {})
    with pytest.raises(KeyError), Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(1, {"w": torch.ones(1)}, {})
        raise KeyError
    assert "the last checkpoint was not written: needed room on the disk" in capsys.readouterr().err


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path, gate: threading.Event) -> None:
    with pytest.raises(KeyboardInterrupt), Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(1, {"w": torch.ones(1)}, {})
        raise KeyboardInterrupt
    assert newest_checkpoint(tmp_path) is None
    gate.set()
    saves.wait()


def test_without_memory_for_the_copies_it_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*given: object) -> dict[str, Tensor]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(async_checkpoint, "_copied", none_left)
    with Saving(tmp_path, every=1, keep_checkpoints=2) as saves:
        saves.save(3, {"w": torch.ones(2)}, {})
        assert found(tmp_path) == ([1.0, 1.0], {"step": 3})
