"""Makes incontext.jsonl.xz, pages of examples of one rule each, and the tasks that ask for the last line of a page.

    python data/make_incontext.py --out data

Every page has its own rule, drawn by its number: only what stands above says which, so that a model that is trained on
the pages learns to read them. incontext/RULE.jsonl.xz has the held-out pages, taken apart: `examples`, and the
`x` and `y` of the last line. evaluate gives as many of the examples as --shots says.
"""

import argparse
import json
import lzma
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from random import Random

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TRAIN, HELDOUT = 9000, 300  # pages; the held-out ones of each rule
LENGTH = 4  # letters of a word
KEYS = 8  # of a page of look-ups
SHOTS = 16  # examples above the last one
Word = list[str]
Rule = Callable[[Word], Word]


def any_word(random: Random) -> Word:
    return random.sample(LETTERS, LENGTH)


def copy(random: Random) -> tuple[Rule, Callable[[], Word]]:
    """a b c d = a b c d"""
    return list, lambda: any_word(random)


def reverse(random: Random) -> tuple[Rule, Callable[[], Word]]:
    """a b c d = d c b a"""
    return lambda word: word[::-1], lambda: any_word(random)


def pattern(random: Random) -> tuple[Rule, Callable[[], Word]]:
    """The page's own order of the four letters: a b c d = c a d b."""
    order = random.sample(range(LENGTH), LENGTH)
    return lambda word: [word[place] for place in order], lambda: any_word(random)


def lookup(random: Random) -> tuple[Rule, Callable[[], Word]]:
    """The page's own letter for each of eight: f = q."""
    values = dict(zip(random.sample(LETTERS, KEYS), random.sample(LETTERS, KEYS), strict=True))
    return lambda word: [values[word[0]]], lambda: [random.choice(list(values))]


RULES = {"copy": copy, "reverse": reverse, "pattern": pattern, "lookup": lookup}


def page(name: str, number: int, split: str) -> dict[str, object]:
    """The lines of a page, the last of which is what a task asks for."""
    rule, word = RULES[name](Random(f"{split} {name} {number}"))
    lines = [{"x": " ".join(x), "y": " ".join(rule(x))} for x in (word() for _ in range(SHOTS + 1))]
    text = "\n".join(f"> {line['x']} = {line['y']}" for line in lines)
    fields = {"title": f"{name} {number}", "source": "incontext", "split": split}
    return {"text": text, **fields, "examples": lines[:-1], **lines[-1]}


def write(path: Path, pages: list[dict[str, object]], *fields: str) -> None:
    text = "".join(json.dumps({field: each[field] for field in fields}) + "\n" for each in pages)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path}: {len(pages):,} pages, {len(text):,} bytes, {path.stat().st_size:,} stored")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out: Path = parser.parse_args().out
    names = list(RULES)
    train = [page(names[number % len(names)], number, "train") for number in range(TRAIN)]
    heldout = {name: [page(name, number, "heldout") for number in range(HELDOUT)] for name in names}
    write(out / "incontext.jsonl.xz", [*train, *chain(*heldout.values())], "text", "title", "source", "split")
    for name, pages in heldout.items():
        write(out / "incontext" / f"{name}.jsonl.xz", pages, "examples", "x", "y", "split")


if __name__ == "__main__":
    main()
