from pathlib import Path

import pytest
import torch

from gptwright.foundations.errors import ArtifactError
from gptwright.training.checkpoint import averaged_masters, newest_checkpoint, save_checkpoint


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        save_checkpoint(folder, step, {"w": torch.full((50,), float(step)), "view": torch.ones(3, 4).T}, {"score": 0.5})


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-7] ^= 4
    path.write_bytes(data)


def test_the_newest_is_found_with_its_state(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "checkpoints") is None
    save(tmp_path, 10, 20)
    found = newest_checkpoint(tmp_path)
    assert found is not None
    tensors, state = found
    assert torch.equal(tensors["w"], torch.full((50,), 20.0))
    assert torch.equal(tensors["view"], torch.ones(4, 3))
    assert state == {"step": 20, "score": 0.5}


@pytest.mark.parametrize("steps", [(1, 2, 3, 4), (999_998, 999_999, 1_000_000, 1_000_001)])
def test_only_the_last_few_are_kept(tmp_path: Path, steps: tuple[int, ...]) -> None:
    save(tmp_path, *steps)
    assert {path.name for path in tmp_path.iterdir()} == {f"step-{step:06d}" for step in steps[-2:]}
    found = newest_checkpoint(tmp_path)
    assert found is not None and found[1]["step"] == steps[-1]


@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "manifest.json"])
def test_a_damaged_one_is_named_and_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    save(tmp_path, 10, 20)
    flip(tmp_path / "step-000020" / name)
    found = newest_checkpoint(tmp_path)
    assert found is not None and found[1]["step"] == 10
    assert "step-000020 is damaged" in " ".join(capsys.readouterr().err.split())


def test_when_all_are_damaged_the_run_does_not_silently_begin_anew(tmp_path: Path) -> None:
    save(tmp_path, 10, 20)
    flip(tmp_path / "step-000020" / "state.safetensors")
    (tmp_path / "step-000010" / "state.json").unlink()
    with pytest.raises(ArtifactError, match=r"step-000020.*state\.safetensors"):
        newest_checkpoint(tmp_path)


def test_what_was_never_finished_is_not_seen(tmp_path: Path) -> None:
    save(tmp_path, 10)
    (tmp_path / ".step-000020.unfinished").mkdir()
    (tmp_path / ".step-000020.unfinished" / "state.json").write_text("{}")
    found = newest_checkpoint(tmp_path)
    assert found is not None and found[1]["step"] == 10
    save(tmp_path, 20)
    assert {path.name for path in tmp_path.iterdir()} == {"step-000010", "step-000020"}


def names(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.iterdir())


def test_what_a_stop_left_takes_no_place_of_a_regular_one(tmp_path: Path) -> None:
    for step, keep_checkpoints in (
        (4, [4]),
        (8, [4, 8]),
        (9, [4, 8, 9]),
        (11, [4, 8, 11]),
        (12, [4, 8, 12]),
        (16, [8, 12, 16]),
        (17, [8, 12, 16, 17]),
        (18, [8, 12, 16, 18]),
    ):
        save_checkpoint(tmp_path, step, {"w": torch.ones(1)}, {}, every=4, keep_checkpoints=3)
        assert names(tmp_path) == keep_checkpoints


def test_the_mean_of_the_last_few(tmp_path: Path) -> None:
    for step, number in ((1, 9.0), (2, 1.0), (3, 2.0), (4, 6.0)):
        tensors = {
            "master.a": torch.full((2, 3), number),
            "master.b.c": torch.tensor(-number),
            "exp_avg.a": torch.ones(1),
        }
        save_checkpoint(tmp_path, step, tensors, {}, keep_checkpoints=4)
    mean = dict(averaged_masters(tmp_path, 3))
    assert mean.keys() == {"a", "b.c"}
    assert torch.equal(mean["a"], torch.full((2, 3), 3.0)) and torch.equal(mean["b.c"], torch.tensor(-3.0))
    assert torch.equal(dict(averaged_masters(tmp_path, 1))["a"], torch.full((2, 3), 6.0))


def test_the_mean_of_one_number_many_times_is_that_number(tmp_path: Path) -> None:
    weights = torch.randn(1000)
    for step in range(7):
        save_checkpoint(tmp_path, step, {"master.w": weights}, {}, keep_checkpoints=7)
    assert torch.equal(dict(averaged_masters(tmp_path, 7))["w"], weights)


def test_fewer_are_averaged_but_none_or_damaged_ones_are_not(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="got none"):
        dict(averaged_masters(tmp_path, 3))
    for step in (10, 20):
        save_checkpoint(tmp_path, step, {"master.w": torch.full((2,), float(step))}, {})
    assert torch.equal(dict(averaged_masters(tmp_path, 3))["w"], torch.full((2,), 15.0))
    flip(tmp_path / "step-000010" / "state.safetensors")
    with pytest.raises(ArtifactError, match=r"step-000010.*state\.safetensors"):
        dict(averaged_masters(tmp_path, 2))
