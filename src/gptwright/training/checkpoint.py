"""Where a run can go on: safetensors and a small JSON, written whole, verified before use, the last few kept.

The mean of the last few is often a better model than the last (Vaswani et al. 2017, §6.1).
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from gptwright.foundations.durable import new_folder, read_json, verify_folder, write_json
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say

MASTER = "master."


def save_checkpoint(
    folder: Path, step: int, tensors: dict[str, Tensor], state: dict[str, Any], *, every: int = 1, kept: int = 2
) -> None:
    """Writes `step-000123/` whole or not at all, then drops all others but the last `kept` of every `every` steps.

    What a stop leaves in between is dropped by the next one, so that a run that was stopped keeps the same as another.
    """
    with new_folder(folder / f"step-{step:06d}") as unfinished:
        write_tensors(tensors, unfinished)
        write_json(unfinished / "state.json", {"step": step, **state})
    for killed in folder.glob(".step-*"):
        shutil.rmtree(killed)
    *others, newest = _all(folder)
    regular = [path for path in (*others, newest) if _step(path) % every == 0]
    for old in set(others) - set(regular[-kept:]):
        shutil.rmtree(old)


def write_tensors(tensors: dict[str, Tensor], unfinished: Path) -> None:
    """Tensors by name as files in a folder that is not yet named."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished / "state.safetensors")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """What `write_tensors` wrote."""
    return load_file(folder / "state.safetensors")


def forget_after(folder: Path, step: int) -> None:
    """Drops the checkpoints of later steps, which will be done again."""
    for path in _all(folder):
        if _step(path) > step:
            shutil.rmtree(path)


def newest_checkpoint(folder: Path, every: int = 1) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and state of the newest whole checkpoint of every `every` steps; a damaged one is named and passed over.

    Raises `ArtifactError` when there are checkpoints and none of them is whole.
    """
    damage: ArtifactError | None = None
    for path in reversed([path for path in _all(folder) if _step(path) % every == 0]):
        try:
            verify_folder(path)
            return read_tensors(path), read_json(path / "state.json")
        except ArtifactError as error:
            damage = damage or error
            say(f"checkpoint {path.name} is damaged and passed over: {error}")
    if damage:
        raise damage
    return None


def averaged_masters(folder: Path, count: int) -> Iterator[tuple[str, Tensor]]:
    """The mean of the parameters in the last `count` checkpoints, by name, one tensor in memory at a time.

    Of all there are when they are fewer: amid bad gradients none is saved. Raises `ArtifactError` when there is none,
    or one is damaged.
    """
    paths = _all(folder)[-count:]
    if not paths:
        raise ArtifactError(f"checkpoints in {folder}", "none", "Delete the stage's folder and run it again.")
    for path in paths:
        verify_folder(path)
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path / "state.safetensors", framework="pt")) for path in paths]
        for name in files[-1].keys():  # noqa: SIM118
            if name.startswith(MASTER):
                total = torch.zeros(files[-1].get_slice(name).get_shape(), dtype=torch.float64)
                for file in files:
                    total += file.get_tensor(name)
                yield name.removeprefix(MASTER), (total / len(files)).float()


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _all(folder: Path) -> list[Path]:
    """From the oldest to the newest."""
    return sorted((path for path in folder.glob("step-*") if path.is_dir()), key=_step)
