"""Where a run can go on: safetensors and a small JSON, written whole, verified before use, the last few kept."""

import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from gptwright.foundations.durable import new_folder, read_json, verify_folder, write_json
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say

KEPT = 2


def save_checkpoint(folder: Path, step: int, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Writes `step-000123/` whole or not at all, then drops the oldest ones."""
    with new_folder(folder / f"step-{step:06d}") as unfinished:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished / "state.safetensors")
        write_json(unfinished / "state.json", {"step": step, **state})
    for old in _all(folder)[:-KEPT]:
        shutil.rmtree(old)


def newest_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and state of the newest whole checkpoint; a damaged one is named and passed over.

    Raises `ArtifactError` when there are checkpoints and none of them is whole.
    """
    damage: ArtifactError | None = None
    for path in reversed(_all(folder)):
        try:
            verify_folder(path)
            return load_file(path / "state.safetensors"), read_json(path / "state.json")
        except ArtifactError as error:
            damage = damage or error
            say(f"checkpoint {path.name} is damaged and passed over: {error}")
    if damage:
        raise damage
    return None


def _all(folder: Path) -> list[Path]:
    """From the oldest to the newest; a step of seven digits comes after those of six."""
    return sorted((p for p in folder.glob("step-*") if p.is_dir()), key=lambda p: (len(p.name), p.name))
