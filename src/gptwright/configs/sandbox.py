"""Options of sandbox."""

from pathlib import Path
from typing import Annotated

import tyro

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Range, Size, settings


@settings
class RunSandbox:
    """Run a Python program where it can do no harm, or attack the sandbox and print what was blocked."""

    program: tyro.conf.Positional[Path | None] = None
    """Python file"""
    attack: bool = False
    """run every hostile program that is known; exits with 1 when one gets out"""
    seconds: Annotated[int, Range(1, 3600)] = 3
    """processor time a program may use"""
    memory: Size = 512
    """MiB of memory a program may use"""

    def __post_init__(self) -> None:
        if (self.program is None) != self.attack:
            raise ConfigError("either a program or --attack", "both" if self.attack else "neither",
                              "gptwright sandbox FILE.py, or gptwright sandbox --attack")  # fmt: skip
