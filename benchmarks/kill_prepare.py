"""Is anything lost when prepare or tokenize is killed? In one go, and again with SIGKILL now and then.

python benchmarks/kill_prepare.py --times 20 --seed 1
python benchmarks/kill_prepare.py --verb tokenize --times 20 --seed 1

Read are a file of lines that is cut into ranges, pages, a web archive, a book, programs, and what an earlier run
kept; with filters, languages, masks, signals and near-duplicates, by two processes. For tokenize the texts are prepared
first, and a vocabulary is learned from a mix, and a mix packed, by two processes too. A killed run is started again by
the same command and killed again, up to four times; at its end every file is compared by its SHA-256, the tables of
signals too. Exit code 1 when one differs.
"""

import argparse
import gzip
import json
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kill import HOUR, LATEST, MOST, compared, killed_after

from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.runs import finished_stage
from gptwright.text.bundled import bundled_texts
from gptwright.text.parts import PART
from gptwright.text.read import read_file

LINES = {"prepare": PART * 5 // 4, "tokenize": PART * 4}  # bytes of the file of lines: more than one part
MIX = '[epochs]\n"lines*" = 1.5\n"*" = 1\n'
SOONEST = 0.25  # of the time that the whole run takes: before, nothing is read
CONTAINER = '<container xmlns="urn:x"><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'
BOOK = ('<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="one" href="one.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="one"/></spine></package>')  # fmt: skip


class Texts:
    """English texts of sentences of novels, one in twenty almost again."""

    def __init__(self, seed: int) -> None:
        self._dice, self._last = random.Random(seed), [""]
        whole = " ".join(document.text for path in bundled_texts("bundled:novels") for document in read_file(path))
        self._sentences = [each.strip() + "." for each in " ".join(whole.split()).split(". ") if 40 < len(each) < 300]

    def next(self) -> str:
        if self._dice.random() < 0.05:
            return self._dice.choice(self._last) + " Call 212-555-0147 or write to anna@example.org."
        lines = (" ".join(self._dice.choices(self._sentences, k=2)) for _ in range(self._dice.randint(6, 12)))
        text = "\n".join(lines)
        self._last = [*self._last[-200:], text]
        return text

    def page(self) -> str:
        paragraphs = "".join(f"<p>{line}</p>" for line in self.next().split("\n"))
        return f"<title>A page</title><nav>Menu</nav><main>{paragraphs}</main>"


def write_data(folder: Path, texts: Texts, lines: int) -> None:
    """Files of every kind; `code` has the programs."""
    (folder / "code").mkdir(parents=True)
    with (folder / "lines.jsonl").open("w") as file:
        while file.tell() < lines:
            file.write(json.dumps({"text": texts.next()}) + "\n")
    for number in range(40):
        (folder / f"{number}.html").write_text(texts.page())
        (folder / "code" / f"{number}.py").write_text(f"def add_{number}(a, b):\n    return a + b + {number}\n" * 9)
    (folder / "archive.warc.gz").write_bytes(
        b"".join(gzip.compress(_record(texts.page()), mtime=0) for _ in range(300))
    )
    with zipfile.ZipFile(folder / "book.epub", "w") as book:
        book.writestr("META-INF/container.xml", CONTAINER)
        book.writestr("book.opf", BOOK)
        book.writestr("one.xhtml", f"<html><body>{''.join(texts.page() for _ in range(40))}</body></html>")


def _record(page: str) -> bytes:
    content = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page.encode()
    head = ("WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\nWARC-Record-ID: <urn:uuid:0a>\r\n"
            "WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(content)}\r\n\r\n")  # fmt: skip
    return head.encode() + content + b"\r\n\r\n"


def gptwright(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "gptwright", *map(str, words)]


@dataclass(frozen=True)
class Trial:
    """What is killed: `first` is done before, `command` writes into a folder, `left` says the SHA-256 of all that it
    left there, and `parts` are the names of those of it that are whole."""

    first: list[str]
    command: Callable[[Path], list[str]]
    left: Callable[[Path], Mapping[str, Mapping[str, str]]]
    parts: str


def prepare_trial(folder: Path) -> Trial:
    data, earlier = folder / "data", folder / "earlier"
    pages = [data / f"{number}.html" for number in range(20)]
    options = ["--workers", "2", "--filter", "fineweb", "--near-duplicates", "0.8", "--language", "en",
               "--mask", "email", "phone", "--fix-mojibake", "--explain"]  # fmt: skip

    def command(out: Path) -> list[str]:
        return gptwright("prepare", "--out", out, "--data", data, f"code:{data / 'code'}", "--against", earlier,
                         "--signals", f"{out}.signals", *options)  # fmt: skip

    def left(out: Path) -> Mapping[str, Mapping[str, str]]:
        signals = Path(f"{out}.signals")
        return {"prepare": finished_stage(out)["outputs"],
                "signals": {path.name: sha256(path) for path in signals.glob("*.parquet")}}  # fmt: skip

    return Trial(gptwright("prepare", "--out", earlier, "--data", *pages), command, left, "*.zst")


def tokenize_trial(folder: Path) -> Trial:
    text, mix = folder / "text", folder / "mix.toml"
    mix.write_text(MIX)

    def command(out: Path) -> list[str]:
        return gptwright("tokenize", "--out", out, "--text", text, "--vocab", "8192", "--vocab-megabytes", "4",
                         "--mix", mix, "--vocab-mix", mix, "--workers", "2")  # fmt: skip

    def left(out: Path) -> Mapping[str, Mapping[str, str]]:
        return {"tokenize": finished_stage(out)["outputs"]}

    return Trial(gptwright("prepare", "--out", text, "--data", folder / "data"), command, left, "*.json")


TRIALS = {"prepare": prepare_trial, "tokenize": tokenize_trial}


def where(out: Path, parts: str) -> str:
    """How far a killed run had come."""
    writing = "beside one that is written" if list((out / "parts").glob(".*.unfinished")) else "none is being written"
    return f"{len(list((out / 'parts').glob(parts)))} parts there, {writing}"


def prove(verb: str, times: int, seed: int, folder: Path) -> int:
    """Prints what is seen; the number of files that differ."""
    dice, whole = random.Random(seed), folder / "whole"
    write_data(folder / "data", Texts(seed), LINES[verb])
    trial = TRIALS[verb](folder)
    killed_after(HOUR, trial.first)
    began = time.monotonic()
    killed_after(HOUR, trial.command(whole))
    seconds, expected = time.monotonic() - began, trial.left(whole)
    print(f"in one go: {seconds:.0f} s, {finished_stage(whole)['metrics']}", flush=True)
    kills, runs, different = 0, 0, 0
    while kills < times:
        runs += 1
        out, most = folder / f"killed-{runs}", min(times, kills + MOST)
        while killed_after(wait := dice.uniform(SOONEST, LATEST) * seconds if kills < most else HOUR,
                           trial.command(out)):  # fmt: skip
            kills += 1
            print(f"kill {kills}: after {wait:.1f} s, {where(out, trial.parts)}", flush=True)
        lines, unequal = compared(expected, trial.left(out))
        print(f"{f'run {runs}':38} {'in one go':16}  killed", *lines, sep="\n", flush=True)
        different += unequal
    print(f"killed {kills} times in {runs} runs of {sum(map(len, expected.values()))} files: "
          f"{different or 'nothing'} different", flush=True)  # fmt: skip
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verb", choices=TRIALS, default="prepare", help="what is killed")
    parser.add_argument("--times", type=int, default=20, help="how often it is killed")
    parser.add_argument("--seed", type=int, default=1, help="of the data and the moments")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(bool(prove(asked.verb, asked.times, asked.seed, Path(folder))))


if __name__ == "__main__":
    main()
