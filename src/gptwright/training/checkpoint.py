"""Where a run can go on: safetensors and a small JSON, written whole, verified before use, the last few kept.

The mean of the last few is often a better model than the last (Vaswani et al. 2017, §6.1).
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor, nn

from gptwright.foundations.atomic_io import new_folder, read_json, unfinished_folder, verify_folder, write_json
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.training.distributed.layout import ALL, Layout
from gptwright.training.distributed.sharded_tensors import Pieces, read_pieces, write_pieces

MASTER = "master."


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: dict[str, Tensor],
    state: dict[str, object],
    *,
    every: int = 1,
    keep_checkpoints: int = 2,
    layout: Layout = ALL,
) -> None:
    """Writes `step-000123/` whole or not at all, then drops all others but the last
    `keep_checkpoints` of every `every` steps.

    What a stop leaves in between is dropped by the next one, so that a run that was stopped keeps the same as another.
    Of several processes each writes its tensors, and the first the rest.
    """
    path, world = folder / f"step-{step:06d}", layout.world
    if not world.first:
        world.barrier()
        write_pieces(tensors, unfinished_folder(path), layout)
        world.barrier()
        return
    with new_folder(path) as unfinished:
        world.barrier()
        write_pieces(tensors, unfinished, layout)
        write_json(unfinished / "state.json", {"step": step, **state})
        world.barrier()
    for killed in folder.glob(".step-*"):
        shutil.rmtree(killed)
    *others, newest = _all(folder)
    regular = [path for path in (*others, newest) if _step(path) % every == 0]
    for old in set(others) - set(regular[-keep_checkpoints:]):
        shutil.rmtree(old)


def forget_after(folder: Path, step: int) -> None:
    """Drops the checkpoints of later steps, which will be done again."""
    for path in _all(folder):
        if _step(path) > step:
            shutil.rmtree(path)


def newest_checkpoint(
    folder: Path, every: int = 1, layout: Layout = ALL
) -> tuple[dict[str, Tensor], dict[str, object]] | None:
    """Tensors and state of the newest whole checkpoint of every `every` steps; a damaged one is named and passed over.

    Of several processes the first chooses, and each reads what it is to hold: the checkpoint may be of any other
    layout. Raises `ArtifactError` when there are checkpoints and none of them is whole.
    """
    newest = _newest_whole(folder, every) if layout.world.first else None
    step = layout.world.broadcast(-1 if newest is None else _step(newest))
    if step < 0:
        return None
    path = folder / f"step-{step:06d}"
    return read_pieces(path, layout), read_json(path / "state.json")


def _newest_whole(folder: Path, every: int) -> Path | None:
    damage: ArtifactError | None = None
    for path in reversed([path for path in _all(folder) if _step(path) % every == 0]):
        try:
            verify_folder(path)
            return path
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
        checkpoints = [stack.enter_context(Pieces(path)) for path in paths]
        for name, shape in checkpoints[-1].shapes.items():
            if name.startswith(MASTER):
                total = torch.zeros(shape, dtype=torch.float64)
                for checkpoint in checkpoints:
                    total += checkpoint.read(name)
                yield name.removeprefix(MASTER), (total / len(checkpoints)).float()


@torch.no_grad()
def take_average(network: nn.Module, checkpoints: Path, count: int) -> None:
    """Gives a released model the mean of its last checkpoints."""
    parameters = dict(network.named_parameters())
    for name, mean in averaged_masters(checkpoints, count):
        parameters[name].copy_(mean)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _all(folder: Path) -> list[Path]:
    """From the oldest to the newest."""
    return sorted((path for path in folder.glob("step-*") if path.is_dir()), key=_step)
