"""Carries out what pages say, and writes what was printed into them, so that no output is typed by hand.

python docs/run.py                                   every page that has something to carry out
python docs/run.py docs/course/01-text.md --in DIR   this page, in a folder that is kept
python docs/run.py --short                           what takes seconds
python docs/run.py --check                           what takes seconds; fails when a page shows another output

A block of `sh` is carried out, and one of `python` that a block of `text` follows. What is printed is what stands in
the block of `text` right after it. A comment says more:

<!-- minutes -->             what follows, here and in the pages after this one, takes minutes
<!-- seconds -->             from here on seconds again, without anything that took minutes
<!-- needs: PROGRAM -->      what follows on this page is left to runs of minutes where this program is not installed
<!-- run: COMMAND -->        a command that the page does not show; in a folder that is kept it is done once
<!-- printed: COMMAND -->    the block right after this is what the command prints
<!-- server: COMMAND -->     a server until the page ends or has another; the block right after this is its greeting

Commands run in bash, stderr among stdout as in a terminal, with one thread, in a folder that pages of a story share;
CHECKOUT is the folder that this file's folder lies in. A server is started with `--port $PORT`, a free one, which
stands in for the 8000 of 127.0.0.1:8000 in what is carried out and what is printed.
"""

import argparse
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from chinese import edition  # the file beside this one

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COURSE = [page for page in sorted((DOCS / "course").glob("[0-9][0-9]-*.md")) if ".zh." not in page.name]
MINE = ("01-prepare", "02-tokenize", "26-lint", "03-pretrain", "budgets", "tokenizers", "bert", "translate")
START = ("10-start-and-recipes", "09-report", "04-sft", "05-rank", "06-reward", "07-ppo", "23-see", "page",
         "08-chat-and-serve", "11-import-and-export", "12-finetune", "13-evaluate", "17-sandbox", "18-codex",
         "19-edits", "20-images", "lora", "gguf", "21-conversations-and-labels", "25-why", "families", "scale",
         "troubleshooting", "16-improve", "14-dpo-and-grpo", "15-tasks")  # fmt: skip
STORIES = [COURSE, *([DOCS / f"{name}.md" for name in names] for names in (MINE, START))]
"""pages that go on where the one before ended"""
PART = re.compile(r"^<!-- (?P<word>minutes|seconds|needs|run|printed|server)(?:: (?P<command>.*?))? -->$"
                  r"|^```(?P<language>\w*)\n(?P<block>.*?)^```$", re.DOTALL | re.MULTILINE)  # fmt: skip
UNITS = r"ms|s|min|minutes?|seconds?|hours?|MB|MiB|GB|GiB|tokens a second"
SPEED = re.compile(rf"\d[\d,.]*(?=( of \d[\d,.]*)?\s?(?:{UNITS})\b)|(?<=tokens/s )\d[\d,]*")
"""what another machine, or the same one an hour later, prints otherwise"""
FRACTION = re.compile(r"\d+\.\d+")
ROUNDED = 0.01  # of a figure with a fraction, such as a loss
PROGRESS = re.compile(r"^[\w-]+  \d+/\d+  \d+%.*\n", re.MULTILINE)
"""what a terminal writes over and over in one line"""
DRAWN = re.compile(r"\b[0-9a-f]{24,64}\b|(?P<field>\"(?:created|changed|seed|waited|first|all)\":)[\d.]+")
"""ids, hashes, times and seeds in a server's JSON, of which the page shows `…`"""
DONE = "carried-out.txt"
DURATIONS = ("minutes", "seconds")
ADDRESS = "127.0.0.1:8000"
READY = "Ctrl-C stops."  # the last line of a server's greeting


@dataclass(frozen=True)
class Step:
    """A command of bash, or Python, and the place in the page of what it prints, where that is shown."""

    command: str
    python: bool = False
    hidden: bool = False
    server: bool = False
    long: bool = False
    shown: tuple[int, int] | None = None


def steps(text: str, long: bool = False) -> Iterator[Step]:
    """What a page says is to be done, in order; `long` when it took minutes where the page before ended."""
    parts = list(PART.finditer(text))
    missing = False
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        word, language = part["word"], part["language"]
        if word in DURATIONS:
            long = word == "minutes"
        if word == "needs":
            missing = shutil.which(part["command"]) is None
        shown = None
        if after and not after["word"] and not text[part.end() : after.start()].strip():
            fits = after["language"] not in ("sh", "python") if word else after["language"] == "text"
            shown = after.span("block") if fits else None
        if word in ("run", "printed", "server"):
            yield Step(part["command"], hidden=word == "run", server=word == "server", long=long or missing,
                       shown=shown if word != "run" else None)  # fmt: skip
        elif language == "sh" or (language == "python" and shown):
            yield Step(part["block"], python=language == "python", long=long or missing, shown=shown)


def ends_long(text: str, long: bool) -> bool:
    """Whether it takes minutes where a page ends, and so where the next begins."""
    said = [part["word"] for part in PART.finditer(text) if part["word"] in DURATIONS]
    return said[-1] == "minutes" if said else long


def printed(step: Step, folder: Path) -> str:
    """What a step prints, in the terminal's order, without lines of progress. Ends the program where it fails."""
    done = folder / DONE
    if step.hidden and done.exists() and f"{step.command}\n" in done.read_text():
        return ""
    process = subprocess.run(words(step), cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    if process.returncode:
        sys.exit(f"{step.command}\nended with {process.returncode}:\n{process.stdout}")
    if step.hidden:
        with done.open("a") as file:
            file.write(f"{step.command}\n")
    return as_shown(process.stdout, folder)


@contextmanager
def serving(step: Step, folder: Path) -> Generator[str]:
    """A server's greeting, once it answers; it is there while the block runs. Ends the program where it ends first."""
    with tempfile.NamedTemporaryFile() as said:
        process = subprocess.Popen(words(step), cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                                   stdout=said, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        try:
            ended, greeting = None, ""
            while READY not in greeting:
                if ended is not None:
                    sys.exit(f"{step.command}\nended with {ended}:\n{greeting}")
                time.sleep(0.1)
                ended, greeting = process.poll(), Path(said.name).read_text(encoding="utf-8")
            yield as_shown(greeting, folder)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def words(step: Step) -> list[str]:
    if step.python:
        return [sys.executable, "-c", step.command]
    return ["bash", "-e", "-o", "pipefail", "-c", step.command.replace(ADDRESS, f"127.0.0.1:{port()}")]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb",
                         "CHECKOUT": str(ROOT), "PORT": str(port()),
                         "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # fmt: skip


@cache
def port() -> int:
    """A free one."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def as_shown(output: str, folder: Path) -> str:
    """Without lines of progress, what is this machine's or was drawn, and blanks at ends of lines."""
    output = output.replace(f"{folder}/", "").replace(f"127.0.0.1:{port()}", ADDRESS)
    output = DRAWN.sub(lambda drawn: f"{drawn['field'] or ''}…", output)
    return PROGRESS.sub("", "".join(line.rstrip() + "\n" for line in output.strip("\n").splitlines()))


def same(one: str, other: str) -> bool:
    """Whether outputs differ in nothing but the machine: its speed, its memory, and how its processor rounds."""
    one, other = SPEED.sub("#", one), SPEED.sub("#", other)
    if FRACTION.sub("#", one) != FRACTION.sub("#", other):
        return False
    pairs = zip(FRACTION.findall(one), FRACTION.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=ROUNDED) for a, b in pairs)


def carry_out(text: str, folder: Path, short: bool, long: bool = False) -> str:
    """A page's text with what was printed; when `short`, what takes minutes is left as it is.

    An output that differs in nothing but the machine stays as it is.
    """
    outputs: list[tuple[int, int, str]] = []
    with ExitStack() as servers:
        for step in steps(text, long):
            if short and step.long:
                continue
            if step.server:
                servers.close()
                output = servers.enter_context(serving(step, folder))
            else:
                output = printed(step, folder)
            if step.shown:
                outputs.append((*step.shown, output))
    return with_outputs(text, outputs)


def with_outputs(text: str, outputs: list[tuple[int, int, str]]) -> str:
    for start, end, output in reversed(outputs):
        if not same(output, text[start:end]):
            text = text[:start] + output + text[end:]
    return text


def translated(english: str, edition: str) -> str:
    """The Chinese edition of a page with the outputs of the English one."""
    pairs = zip(steps(english), steps(edition), strict=True)
    shown = [(*theirs.shown, english[slice(*ours.shown)]) for ours, theirs in pairs if ours.shown and theirs.shown]
    return with_outputs(edition, shown)


def tell(story: list[Path], folder: Path, short: bool) -> Iterator[tuple[Path, str]]:
    """Each page of a story, and its Chinese edition, with what it should be."""
    long = False
    for page in story:
        print(page.relative_to(ROOT), file=sys.stderr)
        text = carry_out(page.read_text(encoding="utf-8"), folder, short, long)
        long = ends_long(text, long)
        yield page, text
        if edition(page).exists():
            yield edition(page), translated(text, edition(page).read_text(encoding="utf-8"))


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
