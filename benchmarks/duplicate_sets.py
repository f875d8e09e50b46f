"""Near-duplicates beside text-dedup, on sets of the kind of the two that it publishes figures for.

    python3.12 -m venv TD && TD/bin/pip install text-dedup
    python benchmarks/duplicate_sets.py --text-dedup TD/bin/python [--seed 1]

Its sets cannot be had without a network, so that these are made here, of passages of the bundled text. `papers` is like
CORE: 3,000 abstracts, of which half have another version: the same words set otherwise, or cut, with a notice, with
words changed; and others share a third of their words without being the same. `news` is like NEWS-COPY: stories that
newspapers print again, cut at the end, with other openings and the errors of reading scans. The peer has the settings
of its own benchmarks (runs of two words, likeness of 0.5 and 0.45), ours --near-duplicates 0.3 and 0.1, which were
chosen on seed 1 alone: a misread letter spoils five of our runs and two of theirs, and texts that have nothing to do
with each other hardly share a run of five words.

Printed are the peer's figures: over documents, whether all their duplicates were found, as macro-F1 and as the macro
precision that it prints under that name; over clusters, the adjusted Rand index; and processor seconds, without start.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from math import comb
from pathlib import Path

LIKENESS = {"papers": 0.3, "news": 0.1}
SETTINGS = {
    "papers": {"num_perm": 200, "bands": 50, "rows": 4, "threshold": 0.5},
    "news": {"num_perm": 256, "threshold": 0.45},
}
PEER = """
import json, pickle, resource
from text_dedup.config import Config
from text_dedup.minhash import main

def spent():
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in found)

before = spent()
main(Config())
seconds = spent() - before
clusters = pickle.load(open("output/clusters.pickle", "rb"))
print(json.dumps([seconds, [[int(a), int(b)] for a, b in clusters.items()]]))
"""
CONFUSED = dict(zip("echlimnost", ["c", "e", "b", "1", "l", "rn", "u", "0", "5", "f"], strict=True))
"""what a scan's letters are read as"""
NOTICE = "Copyright of the authors. This version was accepted for publication after review and may differ in print."
Labelled = list[tuple[str, int]]
"""Texts, and the number of what each is a version of."""


def passages(length: int, dice: random.Random) -> Iterator[list[str]]:
    """The words of passages of the bundled novels and plays, none overlapping, in an order by chance."""
    from gptwright.text.find import resolve
    from gptwright.text.read import read_file

    texts = [each.text.split() for path in resolve(["bundled:novels", "bundled:plays"]) for each in read_file(path)]
    found = [words[at : at + length] for words in texts for at in range(0, len(words) - length, length)]
    dice.shuffle(found)
    return iter(found)


def changed(words: list[str], share: float, dice: random.Random) -> list[str]:
    """Every word with this chance left out, or another of the text in its place."""
    kept: list[str] = []
    for word in words:
        if dice.random() >= share:
            kept.append(word)
        elif dice.random() < 0.7:
            kept.append(dice.choice(words))
    return kept


def papers(seed: int) -> Labelled:
    """Abstracts: of 2,000 passages half have a version more, and 300 of the others a third of another's words."""
    dice = random.Random(seed)
    source = passages(180, dice)
    found: Labelled = []
    for number in range(2_000):
        words = next(source)
        found.append((" ".join(words), number))
        if number % 2:
            found.append((_version(words, dice), number))
        elif number % 20 < 6 and number >= 2:
            shared = found[dice.randrange(len(found) - 1)][0].split()[:60]
            found[-1] = (" ".join([*shared, *words[60:]]), number)
    dice.shuffle(found)
    return found


def _version(words: list[str], dice: random.Random) -> str:
    match dice.randrange(5):
        case 0:  # the same words
            return "\n".join(" ".join(words[at : at + 12]) for at in range(0, len(words), 12)).upper()
        case 1:
            return " ".join(words[: round(len(words) * dice.uniform(0.6, 0.95))])
        case 2:
            return " ".join(["Abstract:", *words, NOTICE])
        case 3:
            return " ".join(changed(words, dice.uniform(0.02, 0.12), dice))
        case _:
            return " ".join([*changed(words, 0.04, dice)[10:], NOTICE])


def news(seed: int) -> Labelled:
    """Stories of 250 words and what 600 of them are printed as, up to eight times."""
    dice = random.Random(seed)
    source = passages(250, dice)
    found: Labelled = []
    for number in range(900):
        words = next(source)
        copies = 1 if number % 3 == 0 else min(8, 2 + int(dice.expovariate(0.5)))
        found += [(_printed(words, dice), number) for _ in range(copies)]
    dice.shuffle(found)
    return found


def _printed(words: list[str], dice: random.Random) -> str:
    opening = [dice.choice(words) for _ in range(dice.randrange(15))]
    kept = [*opening, *words[dice.randrange(8) : round(len(words) * dice.uniform(0.5, 1))]]
    return " ".join(_misread(word, dice.uniform(0, 0.04), dice) for word in kept)


def _misread(word: str, share: float, dice: random.Random) -> str:
    letters = (CONFUSED.get(letter, "") if dice.random() < share else letter for letter in word)
    return "".join(letters) + ("-\n" if dice.random() < share / 4 else "")


def ours(texts: list[str], likeness: float) -> tuple[float, list[int]]:
    """Seconds, and for each text the first that it is a near-duplicate of: itself, if it is new."""
    from gptwright.text.near_duplicates import NearDuplicates, minhash

    minhash(texts[0])
    began = time.process_time()
    kept, first = list[int](), list[int]()
    with NearDuplicates(likeness) as near:
        for number, text in enumerate(texts):
            earlier = near.earlier(text)
            if earlier is None:
                kept.append(number)
            first.append(number if earlier is None else kept[earlier])
    return time.process_time() - began, first


def theirs(texts: list[str], settings: dict[str, float], python: Path) -> tuple[float, list[int]]:
    """The same of text-dedup."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        config = {
            "input": {"input_type": "local_files", "file_type": "json"},
            "input.read_arguments": {"path": "json", "data_files": "texts.jsonl", "split": "train"},
            "algorithm": {"algorithm_name": "minhash", "text_column": "text", "ngram_size": 2, "min_length": 0,
                          "num_proc": 1, **settings},
            "output": {"output_dir": "output", "save_clusters": True},
            "debug": {"enable_profiling": False},
        }  # fmt: skip
        tables = (f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
                  for name, table in config.items())  # fmt: skip
        (folder / "config.toml").write_text("".join(tables))
        done = subprocess.run([python, "-c", PEER], cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
    spent, clusters = json.loads(done.stdout.splitlines()[-1])
    groups = {number: group for number, group in clusters}
    return spent, [-1 - groups[number] if number in groups else number for number in range(len(texts))]


def f1(truth: list[int], found: list[int]) -> tuple[float, float]:
    """Macro-F1 and macro precision of documents with and without duplicates, as the peer counts them: one that has
    some is right when all of them were found."""
    same, met = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    for number, (one, other) in enumerate(zip(truth, found, strict=True)):
        same[one].add(number)
        met[other].add(number)
    kinds = Counter[str]()
    for one, other in zip(truth, found, strict=True):
        if len(met[other]) == 1:
            kinds["TN" if len(same[one]) == 1 else "FN"] += 1
        else:
            kinds["TP" if len(same[one]) > 1 and same[one] <= met[other] else "FP"] += 1
    precisions, scores = [], []
    for right, wrong, missed in (("TP", "FP", "FN"), ("TN", "FN", "FP")):
        precisions.append(kinds[right] / max(kinds[right] + kinds[wrong], 1))
        recall = kinds[right] / max(kinds[right] + kinds[missed], 1)
        scores.append(2 * precisions[-1] * recall / max(precisions[-1] + recall, 1e-9))
    return sum(scores) / 2, sum(precisions) / 2


def rand_index(truth: list[int], found: list[int]) -> float:
    """The share of pairs on which two partitions agree, so that chance has 0."""
    both, rows, columns = (
        sum(comb(count, 2) for count in Counter(each).values())
        for each in (list(zip(truth, found, strict=True)), truth, found)
    )
    expected = rows * columns / comb(len(truth), 2)
    return (both - expected) / ((rows + columns) / 2 - expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text-dedup", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for name, made in (("papers", papers), ("news", news)):
        texts, truth = map(list, zip(*made(args.seed), strict=True))
        print(f"{name}: {len(texts)} texts of {len(set(truth))}", flush=True)
        results = {f"ours, {LIKENESS[name]}": ours(texts, LIKENESS[name])}
        if args.text_dedup:
            results["text-dedup"] = theirs(texts, SETTINGS[name], args.text_dedup)
        for who, (spent, found) in results.items():
            score, precision = f1(truth, found)
            print(f"  {who}: macro-F1 {score:.3f}, macro precision {precision:.3f}, "
                  f"adjusted Rand index {rand_index(truth, found):.3f}; {spent:.1f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
