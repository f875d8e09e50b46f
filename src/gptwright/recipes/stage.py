"""Which verbs there are, where they live, and how a stage that leaves a folder is carried out."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from types import ModuleType
from typing import Any

from gptwright.foundations.atomic_io import read_json, translate_os_errors
from gptwright.foundations.errors import ConfigError, GptwrightError, nearest
from gptwright.foundations.folder_lock import LOCK, lock_folder
from gptwright.foundations.processes import is_first, several
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, StageFolder, input_paths, open_stage
from gptwright.tracking.tracker import open_trackers

# verb → its class; the module has the verb's name.
STAGES = {
    "prepare": "Prepare",
    "tokenize": "Tokenize",
    "pretrain": "Pretrain",
    "sft": "SFT",
    "rank": "Rank",
    "reward": "Reward",
    "ppo": "PPO",
    "import": "Import",
}

SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Stage:
    """A stage's configuration class and what carries it out."""

    verb: str
    config: type[Any]
    run: Callable[[Any, StageFolder], Mapping[str, Any]]
    inputs: Callable[[Any], Mapping[str, Path]]


def stage(verb: str) -> Stage:
    """Raises `ConfigError` with the nearest name when there is no such verb."""
    if verb not in STAGES:
        raise ConfigError("the name of a stage", f"'{verb}'", nearest(verb, STAGES))
    module: ModuleType = import_module(f"gptwright.stages.{verb}")
    return Stage(verb, getattr(module, STAGES[verb]), module.run, getattr(module, "inputs", input_paths))


def execute_stage(verb: str, config: Any, out: Path, track: Sequence[str] = ()) -> StageFolder:
    """Makes the stage's folder at `out`, goes on with it, or leaves it alone when it is complete.

    Its figures go to the trackers of `track` too.

    Raises what the stage raises; whatever was saved before stays whole.
    """
    chosen = stage(verb)
    if several() and not is_shared(config) and not is_first():
        return done_by_first(out)
    with lock_folder(out), joined(config):
        folder = in_turn(config, lambda: open_stage(out, verb, config, chosen.inputs(config)))
        if folder.state == "complete":
            say(f"{verb}: {out} is complete")
            return folder
        try:
            folder.metrics.listeners = open_trackers(track if is_first() else (), out, folder.record["config"])
            with translate_os_errors(out):
                metrics = chosen.run(config, folder)
                if is_first():
                    folder.finish(metrics)
        except GptwrightError:
            _forget_unbegun(folder)
            raise
        finally:
            folder.metrics.close()
    return folder


def is_shared(config: Any) -> bool:
    """Whether several processes do the stage together; the first does any other alone."""
    return hasattr(config, "mesh")


def done_by_first(out: Path) -> StageFolder:
    """Waits for a stage that one process alone can do, while the first does it."""
    while not (out / RECORD).is_file() or read_json(out / RECORD)["state"] != "complete":
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return StageFolder(out, read_json(out / RECORD), "complete")


def joined(config: Any) -> AbstractContextManager[None]:
    """The processes that were started for this work, where the stage is one that they do together; torch is imported
    only then."""
    if not several() or not is_shared(config):
        return nullcontext()
    from gptwright.training.distributed.world import joined

    return joined(config.mesh, config.device)


def in_turn(config: Any, open_folder: Callable[[], StageFolder]) -> StageFolder:
    """The first process opens the folder, and then the others that have joined."""
    if not several() or not is_shared(config):
        return open_folder()
    from gptwright.training.distributed.world import in_turn

    return in_turn(open_folder)


def _forget_unbegun(folder: StageFolder) -> None:
    """Removes a new folder whose stage was refused before it did anything, so that the mended command may use it."""
    if folder.state == "new" and {path.name for path in folder.path.iterdir()} <= {RECORD, LOCK}:
        rmtree(folder.path)
