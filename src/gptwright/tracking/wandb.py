"""Weights & Biases: offline files below the stage's folder, unless WANDB_MODE says online."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from gptwright.foundations.metrics import Listener


class WandB:
    """One run a command; those of one stage are a group."""

    def __init__(self, folder: Path, name: str, config: Mapping[str, object]) -> None:
        wandb: Any = import_module("wandb")
        folder.mkdir(parents=True, exist_ok=True)
        mode = os.environ.get("WANDB_MODE", "offline")
        self._run = wandb.init(
            project="gptwright", name=name, group=name, config=dict(config), dir=str(folder), mode=mode
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, "step": step})

    def close(self) -> None:
        self._run.finish()


def open_tracker(folder: Path, name: str, config: Mapping[str, object]) -> Listener:
    """Needs the package wandb."""
    return WandB(folder, name, config)
