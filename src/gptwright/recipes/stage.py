"""How a verb is carried out: one that leaves a stage folder, or any other."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from typing import Any

from gptwright.configs.verbs import STAGES, VERBS
from gptwright.foundations.atomic_io import translate_os_errors
from gptwright.foundations.errors import ConfigError, GptwrightError, nearest
from gptwright.foundations.folder_lock import LOCK, lock_folder
from gptwright.foundations.processes import is_first, several, translate_lost_process
from gptwright.foundations.progress import say
from gptwright.foundations.runs import (
    FROM_STORE,
    RECORD,
    StageFolder,
    input_paths,
    is_complete,
    open_stage,
    read_record,
)
from gptwright.foundations.settings import Settings
from gptwright.tracking.tracker import open_trackers
from gptwright.training.distributed.mesh import ONE_COPY

SECONDS_BETWEEN_LOOKS = 0.5
InTurn = Callable[[Callable[[], StageFolder]], StageFolder]


@dataclass(frozen=True)
class Stage:
    """A stage's configuration class and what carries it out."""

    verb: str
    config: type[Settings]
    run: Callable[[Any, StageFolder], Mapping[str, Any]]
    inputs: Callable[[Any], Mapping[str, Path]]


def stage(verb: str) -> Stage:
    """Raises `ConfigError` with the nearest name when there is no such verb."""
    if verb not in STAGES:
        raise ConfigError("the name of a stage", f"'{verb}'", nearest(verb, STAGES))
    module = import_module(f"gptwright.stages.{verb}")
    return Stage(verb, STAGES[verb].config_type, module.run, getattr(module, "inputs", input_paths))


def run_verb(verb: str, config: Settings) -> None:
    """Carries out a verb that leaves no stage folder."""
    import_module(f"gptwright.stages.{verb}").run(config)


def execute_stage(verb: str, config: Settings, out: Path, track: Sequence[str] = ()) -> StageFolder:
    """Makes the stage's folder at `out`, goes on with it, or leaves it alone when it is complete.

    Its metrics go to the trackers of `track` too. Of several processes the first alone does a stage that they cannot
    do together, and the others wait for it.

    Raises what the stage raises; whatever was saved before stays whole.
    """
    return carry_out(stage(verb), config, out, track)


def carry_out(chosen: Stage, config: Settings, out: Path, track: Sequence[str] = ()) -> StageFolder:
    """The same of a stage that is at hand."""
    verb = chosen.verb
    if several() and not VERBS[verb].distributed and not is_first():
        return _wait_for_first(out)
    with lock_folder(out), _processes(verb, config) as in_turn:
        folder = in_turn(lambda: open_stage(out, verb, config, chosen.inputs(config)))
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
            _remove_unbegun(folder)
            raise
        finally:
            folder.metrics.close()
        if is_first() and VERBS[verb].examined:
            import_module("gptwright.stages.doctor").examine(folder)
    return folder


def _wait_for_first(out: Path) -> StageFolder:
    """Returns when the first process has completed the stage."""
    while not is_complete(out):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return StageFolder(out, read_record(out), "complete")


@contextmanager
def _processes(verb: str, config: Any) -> Generator[InTurn]:
    """Connects the processes that do a stage together, and hands out how they do something one after the other."""
    if not several() or not VERBS[verb].distributed:
        yield lambda work: work()
        return
    from gptwright.training.distributed.world import in_turn, joined  # imports torch, which a stage may not need

    with translate_lost_process(), joined(getattr(config, "mesh", ONE_COPY), config.device):
        yield in_turn


def _remove_unbegun(folder: StageFolder) -> None:
    """Removes a new folder whose stage was refused before it did anything, so that the mended command may use it."""
    if folder.state == "new" and {path.name for path in folder.path.iterdir()} <= {RECORD, LOCK, FROM_STORE}:
        rmtree(folder.path)
