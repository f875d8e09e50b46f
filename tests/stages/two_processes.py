"""What each of two processes does in test_together.py: stages, one after the other, some of them stopped halfway.

    RANK=… WORLD_SIZE=2 … python two_processes.py FILE

FILE is a pickle of (verb, configuration, folder, the step at which the second process is asked to stop, or 0).
"""

import os
import pickle
import signal
import sys
from pathlib import Path

import torch

from gptwright.foundations.errors import Interrupted
from gptwright.foundations.processes import is_first
from gptwright.recipes.stage import execute_stage
from gptwright.training.session import Session

record = Session.record


def main(path: Path) -> None:
    for verb, config, folder, stop in pickle.loads(path.read_bytes()):

        def noted(session: Session, step: int, stop: int = stop, **values: float) -> None:
            if step == stop and not is_first():
                os.kill(os.getpid(), signal.SIGTERM)
            record(session, step, **values)

        Session.record = noted  # type: ignore[method-assign]
        try:
            execute_stage(verb, config, folder)
        except Interrupted:
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
