"""sandbox: run a program that nobody has read, or show on this machine that such a program cannot get out."""

import sys
from pathlib import Path

from gptwright.configs.sandbox import RunSandbox
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.sandbox.attacks import attack_all
from gptwright.sandbox.sandbox import MIB, Check, Limits, Sandbox


def run(config: RunSandbox) -> None:
    """Prints what the program printed, or a line for each attack. Raises `SystemExit` with 1 when the program did not
    come to its end or an attack was not blocked, `ResourceError` where there is no sandbox."""
    sandbox = Sandbox(Limits(seconds=config.seconds, memory=config.memory * MIB))
    if config.program is None:
        _attack(sandbox)
        return
    outcome = sandbox.run(Check.examples(_source(config.program), []))
    print(outcome.printed, end="", flush=True)
    if not outcome.passed:
        say(f"sandbox: {outcome.reason}: {outcome.detail}")
        sys.exit(1)


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError("a Python file", f"{path}: {error}", "Name a file that can be read.") from error


def _attack(sandbox: Sandbox) -> None:
    blows = []
    for blow in attack_all(sandbox):
        blows.append(blow)
        print(f"{'blocked' if blow.blocked else 'GOT OUT'}  {blow.attack.name:60} {blow.how}", flush=True)
    out = sum(not blow.blocked for blow in blows)
    print(f"sandbox: {len(blows) - out} of {len(blows)} blocked")
    if out:
        sys.exit(1)
