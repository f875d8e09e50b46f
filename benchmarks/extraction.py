"""The text of web pages: our reader and the others that `prepare --html` names against datatrove's Trafilatura.

    python -m venv DT && DT/bin/pip install 'datatrove[processing]' lxml_html_clean
    python benchmarks/extraction.py --pages FOLDER_OF_HTML --datatrove DT/bin/python [--megabytes 20]

All are given the same pages as text, after a shuffle. Printed are MB of HTML a processor second and the text found.
datatrove's extractor is called as its pipeline calls it, but in this process: its sandbox, which costs more and drops
what takes over a second of wall time, is left out.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PEER = """
import json, sys, time
from datatrove.pipeline.extractors import Trafilatura

pages = json.load(open(sys.argv[1]))
extractor = Trafilatura()
extractor.extract(pages[0])
began = time.process_time()
texts = [extractor.extract(page) or "" for page in pages]
print(json.dumps([time.process_time() - began, sum(map(len, texts)), texts.count("")]))
"""


def pages_of(folder: Path, megabytes: float) -> list[str]:
    """The first so many MB of pages, after a shuffle."""
    files = sorted(path for path in folder.rglob("*.html") if path.is_file() and not path.is_symlink())
    random.Random(1).shuffle(files)
    pages, size = list[str](), 0.0
    for file in files:
        pages.append(file.read_bytes().decode("utf-8", "replace"))
        size += len(pages[-1]) / 1e6
        if size >= megabytes:
            break
    return pages


def measured(read: Callable[[str], str], pages: list[str]) -> tuple[float, int, int]:
    """Processor seconds, characters found, and pages of which nothing was."""
    read(pages[0])
    began = time.process_time()
    texts = [read(page) for page in pages]
    return time.process_time() - began, sum(map(len, texts)), sum(not text.strip() for text in texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--datatrove", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=20)
    args = parser.parse_args()
    from gptwright.text.page_readers import READERS

    pages = pages_of(args.pages, args.megabytes)
    size = sum(map(len, pages)) / 1e6
    print(f"{len(pages)} pages, {size:.1f} MB of HTML", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "pages.json"
        given.write_text(json.dumps(pages))
        done = subprocess.run([args.datatrove, "-c", PEER, given], stdout=subprocess.PIPE, check=True, text=True)
    theirs, found, empty = json.loads(done.stdout)
    print(f"datatrove: {size / theirs:.2f} MB/s, {found / 1e6:.2f} MB of text, {empty} pages without", flush=True)
    for name, read in READERS.items():
        ours, found, empty = measured(lambda page, read=read: read(page).text, pages)
        print(f"{name}: {size / ours:.2f} MB/s, {theirs / ours:.1f} times; {found / 1e6:.2f} MB of text, "
              f"{empty} pages without", flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
