"""Filters of text against datatrove's: the same thresholds on the same pages, keep or drop, and processor seconds.

    python -m venv DT && DT/bin/pip install 'datatrove[processing]' spacy
    python benchmarks/filters.py --pages FOLDER_OF_HTML --datatrove DT/bin/python [--documents 1000]

Both are given the texts that `prepare` reads from the pages, after a shuffle. Printed are MB of text in UTF-8 a
processor second for each filter, the ratio, the share of equal decisions, and the differences by reason. C4's numbers
are those of its code on both sides.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

NAMES = ("gopher", "c4", "fineweb")
PEER = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter)
from datatrove.utils.text import split_into_parts

texts = json.load(open(sys.argv[1]))
gopher = [GopherRepetitionFilter(), GopherQualityFilter()]
chains = {
    "gopher": gopher,
    "c4": [C4QualityFilter(min_num_sentences=3, min_words_per_line=5)],
    "fineweb": [*gopher, C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()],
}

def decide(chain, text, number):
    document = Document(text=text, id=str(number))
    for step in chain:
        found = step.filter(document)
        if found is not True:
            return found[1] if isinstance(found, tuple) else "dropped"
    return None

found = {}
for name, chain in chains.items():
    decide(chain, texts[0], 0)
    split_into_parts.cache_clear()
    began = time.process_time()
    reasons = [decide(chain, text, number) for number, text in enumerate(texts)]
    found[name] = (time.process_time() - began, reasons)
print(json.dumps(found))
"""


def texts_of(pages: Path, count: int) -> list[str]:
    """The texts of the first pages that have any, after a shuffle."""
    from gptwright.text.clean import normalise
    from gptwright.text.encoding import decode_html
    from gptwright.text.html import read_page

    files = sorted(path for path in pages.rglob("*.html") if path.is_file() and not path.is_symlink())
    random.Random(1).shuffle(files)
    texts = (normalise(read_page(decode_html(path.read_bytes(), path)[0]).text) for path in files)
    return [text for text, _ in zip((text for text in texts if len(text) > 200), range(count), strict=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--datatrove", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1000)
    args = parser.parse_args()
    from gptwright.text.documents import Document
    from gptwright.text.filters.presets import PRESETS, apply_filters
    from gptwright.text.filters.signals import SignalCounter

    texts = texts_of(args.pages, args.documents)
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts)} documents, {size:.1f} MB of text")
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "texts.json"
        given.write_text(json.dumps(texts))
        done = subprocess.run([args.datatrove, "-c", PEER, given], stdout=subprocess.PIPE, check=True, text=True)
    peer = json.loads(done.stdout)
    for name in NAMES:
        counter, presets = SignalCounter(), (PRESETS[name],)
        apply_filters(Document(texts[0], ""), presets, counter)
        began = time.process_time()
        ours = [apply_filters(Document(text, ""), presets, counter).reason for text in texts]
        spent = time.process_time() - began
        theirs, reasons = peer[name]
        pairs = Counter((a, b) for a, b in zip(ours, reasons, strict=True) if (a is None) != (b is None))
        equal = 1 - pairs.total() / len(texts)
        print(f"{name}: ours {size / spent:.2f} MB/s, datatrove {size / theirs:.3f} MB/s, {theirs / spent:.1f} times; "
              f"{equal:.1%} equal decisions, {ours.count(None)} and {reasons.count(None)} kept")  # fmt: skip
        for (one, other), count in pairs.most_common(6):
            print(f"  {count} × ours {one or 'kept'}, datatrove {other or 'kept'}")


if __name__ == "__main__":
    sys.exit(main())
