"""A tracker is told every figure of a stage. It belongs to the command: the same run goes on with one or without."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from gptwright.foundations.errors import ConfigError, nearest
from gptwright.foundations.metrics import Listener

TRACKERS = ("tensorboard", "trackio", "wandb", "mlflow")


def open_trackers(names: Sequence[str], folder: Path, config: Mapping[str, object]) -> list[Listener]:
    """Trackers of the stage at `folder`, named after it and what lies around it; local ones write below `folder`.

    Raises `ConfigError` for an unknown name, and for one whose package is not installed or refuses.
    """
    found: list[Listener] = []
    for name in names:
        if name not in TRACKERS:
            raise ConfigError("the name of a tracker", f"'{name}'", nearest(name, TRACKERS))
        try:
            module = import_module(f"gptwright.tracking.{name}")
            shown = "/".join(folder.absolute().parts[-2:])
            found.append(module.open_tracker(folder / "tracking" / name, shown, config))
        except ImportError as error:
            raise ConfigError(f"the package of --track {name}", f"'{error}'",
                              f"pip install 'gptwright[{name}]'") from error  # fmt: skip
        except Exception as error:  # whatever the package has to say
            raise ConfigError(f"a place where {name} keeps figures", f"'{error}'",
                              "Correct its settings, or leave it out of --track.") from error  # fmt: skip
    return found
