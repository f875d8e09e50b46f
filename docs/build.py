"""Writes what is made: docs/{commands,parameters,architecture,family-steps}.md, floors in CONTRIBUTING.md, links of
Chinese pages.

python docs/build.py            write them
python docs/build.py --check    fail when they are not up to date, or a page names what is not there
"""

import contextlib
import io
import os
import sys
from pathlib import Path
from unittest import mock

import architecture  # the files beside this one
import chinese
import family_steps
import parameters

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
    made = {
        PAGE: page(),
        PAGE.with_name("parameters.md"): parameters.parameters(),
        PAGE.with_name("architecture.md"): architecture.architecture(),
        PAGE.with_name("family-steps.md"): family_steps.page(),
        PAGE.with_name("family-steps.svg"): family_steps.picture(),
        architecture.ROOT / "CONTRIBUTING.md": architecture.contributing(),
        **{page: chinese.linked(page) for page in chinese.pages(architecture.ROOT)},
    }
    if "--check" not in sys.argv:
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
        return
    stale = [path.name for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the code says; run make docs")
    if faults := architecture.faults():
        sys.exit("\n".join(["pages name what is not there:", *faults]))


if __name__ == "__main__":
    main()
