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
    results = []
    for result in attack_all(sandbox):
        results.append(result)
        print(f"{'blocked' if result.blocked else 'GOT OUT'}  {result.attack.name:60} {result.how}", flush=True)
    out = sum(not result.blocked for result in results)
    print(f"sandbox: {len(results) - out} of {len(results)} blocked")
    if out:
        sys.exit(1)
