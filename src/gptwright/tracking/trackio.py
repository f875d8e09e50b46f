"""Trackio: a local dashboard with wandb's interface, for `trackio show`."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from gptwright.foundations.metrics import Listener


class Trackio:
    """One run a command, in Trackio's own folder (TRACKIO_DIR)."""

    def __init__(self, name: str, config: Mapping[str, object]) -> None:
        trackio: Any = import_module("trackio")
        self._run = trackio.init(project="gptwright", name=name, config=dict(config), resume="allow")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def open_tracker(folder: Path, name: str, config: Mapping[str, object]) -> Listener:
    """Needs the package trackio."""
    return Trackio(name, config)
