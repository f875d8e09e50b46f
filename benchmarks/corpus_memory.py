"""How much memory a corpus takes: text is generated, prepared, and the most that all processes held is told.

python benchmarks/corpus_memory.py --gigabytes 1 3 10 --folder /disk/with/room

Generated are files of lines (.jsonl), as a crawl has them: paragraphs of sentences that stand once, one text in 50
again, one in 50 almost again, one line of many texts under one in ten. `prepare` cleans it, filters it by Gopher's
rules, and drops exact and near-duplicates. Memory is what is the processes' own (anonymous) and, apart, what they
have mapped of files, which the system takes back when it needs it. Each size needs three times its room on the disk.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

FILE = 2**28  # bytes of one file
WORDS, SENTENCES, NOTICE = 40_000, 200_000, 30
OPTIONS = ["--filter", "gopher", "--near-duplicates", "0.8"]
LOOK = 0.5  # seconds between two looks
STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]


def sentences(dice: random.Random) -> list[str]:
    """Of words as frequent as words are, with the small ones between them."""
    words = ["".join(dice.choices("aeioubcdfglmnprstv", k=dice.randint(3, 9))) for _ in range(WORDS)]
    weights = [1 / (place + 10) for place in range(WORDS)]
    drawn = iter(dice.choices(words, weights, k=SENTENCES * 20))
    found: list[str] = []
    for _ in range(SENTENCES):
        some = [next(drawn) for _ in range(dice.randint(6, 16))]
        for place in range(2, len(some), 4):
            some[place] = dice.choice(STOP_WORDS)
        found.append(" ".join(some).capitalize() + ".")
    return found


def texts(dice: random.Random) -> Iterator[str]:
    """Texts without end."""
    known = sentences(dice)
    notices = [" ".join(dice.choices(known, k=2)) for _ in range(NOTICE)]
    last = list[list[str]]()
    while True:
        lines = [" ".join(dice.choices(known, k=dice.randint(1, 4))) for _ in range(dice.randint(5, 25))]
        chance = dice.random()
        if last and chance < 0.04:
            lines = list(last[dice.randrange(len(last))])
            if chance < 0.02:
                lines[0] = dice.choice(known)
        elif chance < 0.14:
            lines.append(dice.choice(notices))
        last = [*last[-999:], lines]
        yield "\n".join(lines)


def generate(folder: Path, size: int) -> None:
    """Files of lines that hold so many bytes."""
    folder.mkdir(parents=True)
    made, written = texts(random.Random(1)), 0
    for number in range(10**6):
        with (folder / f"{number:03}.jsonl").open("w") as file:
            while file.tell() < min(FILE, size - written):
                file.writelines(json.dumps({"text": next(made)}) + "\n" for _ in range(500))
            written += file.tell()
        if written >= size:
            return


def memory(root: psutil.Process) -> tuple[int, int, int]:
    """Bytes of all processes together: their own, and mapped of files; and the most own bytes of one."""
    own, mapped, most = 0, 0, 0
    for process in (root, *root.children(recursive=True)):
        try:
            info = process.memory_info()
        except psutil.Error:
            continue
        own, mapped, most = own + info.rss - info.shared, mapped + info.shared, max(most, info.rss - info.shared)
    return own, mapped, most


def watched(command: list[str]) -> tuple[float, float, list[int]]:
    """Seconds, seconds of processors, and the most of each figure of `memory`."""
    began, before = time.monotonic(), psutil.Process().cpu_times()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        most, process = [0, 0, 0], psutil.Process(running.pid)
        while running.poll() is None:
            most = [max(pair) for pair in zip(most, memory(process), strict=True)]
            time.sleep(LOOK)
    if running.returncode:
        sys.exit(f"needed text that is prepared; got exit code {running.returncode} of {' '.join(command)}")
    after = psutil.Process().cpu_times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, spent, most


def prove(gigabytes: float, folder: Path, workers: int, options: list[str]) -> None:
    generate(folder / "data", round(gigabytes * 1e9))
    out = folder / "out"
    command = [sys.executable, "-m", "gptwright", "prepare", "--data", str(folder / "data"), "--out", str(out),
               "--workers", str(workers), *options]  # fmt: skip
    seconds, spent, (own, mapped, most) = watched(command)
    metrics = json.loads((out / "stage.json").read_text())["metrics"]
    print(f"{gigabytes:g} GB: own memory at most {own / 1e6:,.0f} MB in all processes, {most / 1e6:,.0f} MB in one; "
          f"mapped of files {mapped / 1e6:,.0f} MB; {spent:,.0f} s of processors, {seconds:,.0f} s; "
          f"{metrics['documents']:,} of {metrics['documents_in']:,} texts stay", flush=True)  # fmt: skip
    print(f"  dropped: {metrics['dropped']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.3, 1.0], help="sizes of the corpus")
    parser.add_argument("--folder", type=Path, required=True, help="new, with room; deleted at the end")
    parser.add_argument("--workers", type=int, default=2, help="of prepare")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=OPTIONS,
                        help="of prepare, in the place of a filter and near-duplicates; comes last")  # fmt: skip
    asked = parser.parse_args()
    for gigabytes in asked.gigabytes:
        try:
            prove(gigabytes, asked.folder / f"{gigabytes:g}", asked.workers, asked.options)
        finally:
            shutil.rmtree(asked.folder / f"{gigabytes:g}", ignore_errors=True)


if __name__ == "__main__":
    main()
