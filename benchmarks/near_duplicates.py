"""Near-duplicates and tests in the text, against datatrove's steps: how fast, and what is found of what was planted.

    python -m venv DT && DT/bin/pip install 'datatrove[processing]' spacy xxhash
    python benchmarks/near_duplicates.py --datatrove DT/bin/python [--documents 400]

Both are given the same sections of the bundled text. Printed are MB of text in UTF-8 a processor second for the digests
(datatrove: 14 bands of 8, as FineWeb has them; ours: 128 hashes), for the search of runs of 13 words in tests, and, of
pairs planted at a known likeness, the share that meets in a band beside theory.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

SIZE = 6_000
LIKE = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
PEER = """
import json, sys, tempfile, time
from pathlib import Path
import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig, create_hash_func
from datatrove.utils.text import TextNormConfig, ngrams, simplify_text
from datatrove.utils.word_tokenizers import load_word_tokenizer

given = json.load(open(sys.argv[1]))
folder = Path(tempfile.mkdtemp())
found = {}
for name in ("sha1", "xxhash"):
    step = MinhashDedupSignature(str(folder), MinhashConfig(hash_config=HashConfig(precision=64, hash_fc=name)))
    digest = lambda text: step.get_signature(step.get_shingles(text))
    digest(given["texts"][0])
    began = time.process_time()
    for text in given["texts"]:
        digest(text)
    found[name] = time.process_time() - began
    met = {}
    for like, pairs in given["pairs"].items():
        met[like] = sum(any(a == b for a, b in zip(digest(one), digest(other))) for one, other in pairs)
    found[name + " met"] = met
config = NGramsDecontConfig(n_grams=13)
words, hashed = load_word_tokenizer("en"), create_hash_func(config.hash_config)
tests = {hashed(" ".join(gram)) for text in given["tests"]
         for gram in ngrams(words.word_tokenize(simplify_text(text, config.norm_config)), 13)}
np.array(sorted(tests), dtype=config.hash_config.np_descr).tofile(folder / "tests.index.hashes")
step = NGramsDecontFilter(str(folder), config)
step.filter(Document(text=given["texts"][0], id="0"))
began = time.process_time()
verdicts = [step.filter(Document(text=text, id="0")) for text in given["texts"]]
found["tests"] = time.process_time() - began
found["tests found"] = sum(each is not True for each in verdicts)
print(json.dumps(found))
"""


def texts_of(count: int) -> list[str]:
    """Sections of the bundled text, of all its sources."""
    from gptwright.text.find import resolve
    from gptwright.text.read import read_file

    texts = [
        document.text[start : start + SIZE]
        for path in resolve(["bundled:novels", "bundled:plays", "bundled:code"])
        for document in islice(read_file(path), 60)
        for start in range(0, len(document.text) - SIZE, SIZE)
    ]
    random.Random(1).shuffle(texts)
    return texts[:count]


def planted(likeness: float, count: int) -> list[tuple[str, str]]:
    """Pairs of 400 words, the second with its end replaced."""
    dice = random.Random(str(likeness))

    def word(first: str) -> str:  # of letters: the peer takes all numbers for one
        return first + "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=6))

    pairs: list[tuple[str, str]] = []
    for _ in range(count):
        words = [word("w") for _ in range(400)]
        same = round(400 * 2 * likeness / (1 + likeness))
        pairs.append((" ".join(words), " ".join([*words[:same], *(word("v") for _ in words[same:])])))
    return pairs


def asked(python: Path, given: Any) -> Any:
    """What datatrove, in an environment of its own, makes of the same texts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(given))
        done = subprocess.run([python, "-c", PEER, path], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datatrove", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=100)
    args = parser.parse_args()
    from gptwright.text.decontaminate import Contamination
    from gptwright.text.near_duplicates import banding, chance_to_meet, jaccard, minhash, shingles

    texts = texts_of(args.documents)
    tests = [text[2_000:2_500] for text in texts[::10]] + [one for one, _ in planted(0.5, 100)]
    pairs = {str(like): planted(like, args.pairs) for like in LIKE}
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts)} sections, {size:.1f} MB of text")
    peer = asked(args.datatrove, {"texts": texts, "tests": tests, "pairs": pairs})
    minhash(texts[0])
    began = time.process_time()
    for text in texts:
        minhash(text)
    spent = time.process_time() - began
    for name in ("sha1", "xxhash"):
        print(f"digests: ours {size / spent:.2f} MB/s, datatrove ({name}) {size / peer[name]:.3f} MB/s, "
              f"{peer[name] / spent:.1f} times")  # fmt: skip
    contamination = Contamination(tests)
    began = time.process_time()
    found = sum(bool(contamination.found(text)) for text in texts)
    spent = time.process_time() - began
    print(f"tests: ours {size / spent:.2f} MB/s, datatrove {size / peer['tests']:.3f} MB/s, "
          f"{peer['tests'] / spent:.1f} times; in {found} sections, datatrove {peer['tests found']}, "
          f"planted {len(texts[::10])}")  # fmt: skip
    bands, rows = banding(0.8)
    print(f"likeness: met of {args.pairs} pairs (theory): ours {bands} bands of {rows}; datatrove 14 of 8")
    for like, own in pairs.items():
        cut = [[minhash(text)[: bands * rows].reshape(bands, rows) for text in pair] for pair in own]
        met = sum(bool((one == other).all(1).any()) for one, other in cut)
        likeness = [jaccard(shingles(one), shingles(other)) for one, other in own]
        wanted, theirs = (sum(chance_to_meet(each, *shape) for each in likeness) for shape in ((bands, rows), (14, 8)))
        print(f"  {like}: ours {met} ({wanted:.1f}); datatrove sha1 {peer['sha1 met'][like]}, "
              f"xxhash {peer['xxhash met'][like]} ({theirs:.1f})")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
