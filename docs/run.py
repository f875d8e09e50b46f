"""Carries out what pages say, and writes what was printed into them, so that no output is typed by hand.

python docs/run.py                                   every page that has something to carry out
python docs/run.py docs/course/01-text.md --in DIR   this page, in a folder that is kept
python docs/run.py --short                           what takes seconds
python docs/run.py --check                           what takes seconds; fails when a page shows another output

A block of `sh` is carried out, and one of `python` that a block of `text` follows. What is printed is what stands in
the block of `text` right after it. A comment says more:

<!-- minutes -->             what follows, here and in the pages after this one, takes minutes
<!-- run: COMMAND -->        a command that the page does not show; in a folder that is kept it is done once
<!-- printed: COMMAND -->    the block right after this is what the command prints

Commands run in bash, stderr among stdout as in a terminal, with one thread, in a folder that pages of a story share.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chinese import edition  # the file beside this one

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COURSE = [page for page in sorted((DOCS / "course").glob("[0-9][0-9]-*.md")) if ".zh." not in page.name]
STORIES = [COURSE, [DOCS / name for name in ("10-start-and-recipes.md", "09-report.md", "04-sft.md")]]
"""pages that go on where the one before ended"""
PART = re.compile(r"^<!-- (?P<word>minutes|run|printed)(?:: (?P<command>.*?))? -->$"
                  r"|^```(?P<language>\w*)\n(?P<block>.*?)^```$", re.DOTALL | re.MULTILINE)  # fmt: skip
UNITS = r"ms|s|min|minutes?|seconds?|hours?|MB|MiB|GB|GiB|tokens a second"
SPEED = re.compile(rf"\d[\d,.]*(?=\s?(?:{UNITS})\b)|(?<=tokens/s )\d[\d,]*")
"""what another machine, or the same one an hour later, prints otherwise"""
FRACTION = re.compile(r"\d+\.\d+")
ROUNDED = 0.01  # of a figure with a fraction, such as a loss
PROGRESS = re.compile(r"^[\w-]+  \d+/\d+  \d+%.*\n", re.MULTILINE)
"""what a terminal writes over and over in one line"""
DONE = "carried-out.txt"


@dataclass(frozen=True)
class Step:
    """A command of bash, or Python, and the place in the page of what it prints, where that is shown."""

    command: str
    python: bool = False
    hidden: bool = False
    shown: tuple[int, int] | None = None


def steps(text: str, short: bool = False) -> Iterator[Step | None]:
    """What a page says is to be done, in order; when `short`, None and no more where minutes begin."""
    parts = list(PART.finditer(text))
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        word, language = part["word"], part["language"]
        if word == "minutes" and short:
            yield None
            return
        shown = None
        if after and not after["word"] and not text[part.end() : after.start()].strip():
            shown = after.span("block") if word == "printed" or after["language"] == "text" else None
        if word in ("run", "printed"):
            yield Step(part["command"], hidden=word == "run", shown=shown if word == "printed" else None)
        elif language == "sh" or (language == "python" and shown):
            yield Step(part["block"], python=language == "python", shown=shown)


def printed(step: Step, folder: Path) -> str:
    """What a step prints, in the terminal's order, without lines of progress. Ends the program where it fails."""
    done = folder / DONE
    if step.hidden and done.exists() and f"{step.command}\n" in done.read_text():
        return ""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb",
                                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # fmt: skip
    words = [sys.executable, "-c"] if step.python else ["bash", "-e", "-o", "pipefail", "-c"]
    process = subprocess.run([*words, step.command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    if process.returncode:
        sys.exit(f"{step.command}\nended with {process.returncode}:\n{process.stdout}")
    if step.hidden:
        with done.open("a") as file:
            file.write(f"{step.command}\n")
    lines = process.stdout.replace(f"{folder}/", "").strip("\n").splitlines()
    return PROGRESS.sub("", "".join(line.rstrip() + "\n" for line in lines))


def same(one: str, other: str) -> bool:
    """Whether outputs differ in nothing but the machine: its speed, its memory, and how its processor rounds."""
    one, other = SPEED.sub("#", one), SPEED.sub("#", other)
    if FRACTION.sub("#", one) != FRACTION.sub("#", other):
        return False
    pairs = zip(FRACTION.findall(one), FRACTION.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=ROUNDED) for a, b in pairs)


def carry_out(page: Path, folder: Path, short: bool) -> tuple[str, bool]:
    """The page with what was printed, and whether all of it was carried out.

    An output that differs in nothing but the machine stays as it is.
    """
    text = page.read_text(encoding="utf-8")
    outputs: list[tuple[int, int, str]] = []
    whole = True
    for step in steps(text, short):
        if step is None:
            whole = False
        elif step.shown:
            outputs.append((*step.shown, printed(step, folder)))
        else:
            printed(step, folder)
    return with_outputs(text, outputs), whole


def with_outputs(text: str, outputs: list[tuple[int, int, str]]) -> str:
    for start, end, output in reversed(outputs):
        if not same(output, text[start:end]):
            text = text[:start] + output + text[end:]
    return text


def translated(english: str, edition: str) -> str:
    """The Chinese edition of a page with the outputs of the English one."""
    pairs = zip(steps(english), steps(edition), strict=True)
    shown = [(*theirs.shown, english[slice(*ours.shown)]) for ours, theirs in pairs
             if ours and theirs and ours.shown and theirs.shown]  # fmt: skip
    return with_outputs(edition, shown)


def tell(story: list[Path], folder: Path, short: bool) -> Iterator[tuple[Path, str]]:
    """Each page of a story, and its Chinese edition, with what it should be; when `short`, to where minutes begin."""
    for page in story:
        print(page.relative_to(ROOT), file=sys.stderr)
        text, whole = carry_out(page, folder, short)
        yield page, text
        if edition(page).exists():
            yield edition(page), translated(text, edition(page).read_text(encoding="utf-8"))
        if not whole:
            return


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--in", dest="folder", type=Path)
    asked = parser.parse_args()
    stale: list[str] = []
    for story in [[page.resolve() for page in asked.pages]] if asked.pages else STORIES:
        with tempfile.TemporaryDirectory() as made:
            folder = (asked.folder or Path(made)).resolve()
            folder.mkdir(exist_ok=True)
            for page, text in tell(story, folder, asked.short or asked.check):
                if text != page.read_text(encoding="utf-8"):
                    stale.append(str(page.relative_to(ROOT)))
                    if not asked.check:
                        page.write_text(text, encoding="utf-8")
    if asked.check and stale:
        sys.exit(f"{', '.join(stale)}: not what is printed; run make docs, and read what it changed")


if __name__ == "__main__":
    main()
