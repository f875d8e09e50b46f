"""Carries out stages in processes that a signal ends; a server, so that torch is imported once.

Reads pickles of (verb, configuration, folder, n, signal) from stdin: the process sends itself the signal just before
its n-th change of the stage's folder. Between two changes nothing can be told apart from outside, so these are all the
moments there are. Answers with the exit code as a shell has it (137: killed), what was said, and the changes.
"""

import faulthandler
import os
import pickle
import sys
import tempfile
from itertools import count
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir")


def watch(out: str, log: int, at: int, signal: int) -> None:
    """Notes every change below `out`, and sends the signal before one of them."""
    changes = count(1)  # of two threads: its next number is never given twice

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and isinstance(given[2], int) and given[2] & WRITES):
            paths = " ".join(str(path) for path in given[:2] if isinstance(path, str | os.PathLike))
            if out in paths:
                os.write(log, f"{event} {paths.replace(out, '')}\n".encode())
                if next(changes) == at:
                    os.kill(os.getpid(), signal)

    sys.addaudithook(hook)


def carry_out(verb: str, config: Any, out: str, at: int, signal: int) -> int:
    """Through the command line's own end, which gives the exit code."""
    from gptwright import cli
    from gptwright.recipes import stage

    cli._run = lambda words: stage.execute_stage(verb, config, stage.Path(out))
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def answer(verb: str, config: Any, out: str, at: int, signal: int) -> tuple[int, str, list[str]]:
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as log:
        pid = os.fork()
        if pid == 0:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            faulthandler.dump_traceback_later(60, exit=True)  # where it hangs, if it ever does
            watch(out, log.fileno(), at, signal)
            os._exit(carry_out(verb, config, out, at, signal))
        status = os.waitpid(pid, 0)[1]
        code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        said.seek(0)
        log.seek(0)
        return code, said.read().decode(), log.read().decode().splitlines()


if __name__ == "__main__":
    for verb in ("pretrain", "sft", "reward", "ppo"):
        __import__(f"gptwright.stages.{verb}")
    import sacrebleu  # noqa: F401
    import torch._dynamo  # noqa: F401  (making a model on the meta device imports it)

    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        while asked := sys.stdin.buffer.peek(1) and pickle.load(sys.stdin.buffer):
            answers.write(pickle.dumps(answer(*asked)))
            answers.flush()
