"""Writes docs/commands.md, the help of every verb as the program prints it.

python docs/build.py            write it
python docs/build.py --check    fail when the page is not what the program prints
"""

import contextlib
import io
import os
import sys
from pathlib import Path
from unittest import mock

os.environ |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}

from gptwright import cli
from gptwright.configs.verbs import VERBS

PAGE = Path(__file__).parent / "commands.md"


def printed(*words: str) -> str:
    """What the program prints on stdout for these words."""
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.suppress(SystemExit),
        mock.patch("sys.argv", ["gptwright", *words]),
    ):
        cli.main()
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def page() -> str:
    """The whole page."""
    parts = ["# Commands", "", "Made by `make docs` from what the program prints.", "", "```", printed("--help"), "```"]
    for verb in VERBS:
        parts += ["", f"## {verb}", "", "```", printed(verb, "--help"), "```"]
    return "\n".join(parts) + "\n"


def main() -> None:
    text = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/commands.md is not what the program prints: run make docs")
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
