"""Makes incontext.jsonl.xz, pages of examples of one rule each, and the tasks that ask for the last line of a page.

    python data/make_incontext.py --out data

Every page has its own rule, drawn by its number: only what stands above says which, so that a model that is trained on
the pages learns to read them. incontext/RULE.jsonl.xz has the held-out pages, taken apart: `examples`, and the
`x` and `y` of the last line. evaluate gives as many of the examples as --shots says.

Look-up is the hardest to find, so that pages to train on lead to it: words that are repeated, as what came after a
letter is then what comes again (Olsson et al. 2022, induction heads), and longer pages of look-ups in fewer letters.
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
KEYS = 8  # of a page of look-ups; to train on, 2 to 8
SHOTS = 16  # examples above the last one
LOOKUPS = 40  # lines of a page of look-ups to train on
REPEATED = 120  # letters of a page of one word
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


def lookup(random: Random, keys: int = KEYS) -> tuple[Rule, Callable[[], Word]]:
    """The page's own letter for each of a few: f = q."""
    values = dict(zip(random.sample(LETTERS, keys), random.sample(LETTERS, keys), strict=True))
    return lambda word: [values[word[0]]], lambda: [random.choice(list(values))]


RULES = {"copy": copy, "reverse": reverse, "pattern": pattern, "lookup": lookup}
TAUGHT = ("repeat", "lookup", "pattern", "copy", "repeat", "lookup", "pattern", "reverse")  # to train on, in turn


def lines(rule: Rule, word: Callable[[], Word], count: int = SHOTS + 1) -> list[dict[str, str]]:
    return [{"x": " ".join(x), "y": " ".join(rule(x))} for x in (word() for _ in range(count))]


def page(name: str, number: int, split: str, text: str) -> dict[str, object]:
    return {"text": text, "title": f"{name} {number}", "source": "incontext", "split": split}


def written(lines: list[dict[str, str]]) -> str:
    return "\n".join(f"> {line['x']} = {line['y']}" for line in lines)


def training_page(name: str, number: int) -> dict[str, object]:
    random = Random(f"train {name} {number}")
    if name == "repeat":
        word = random.sample(LETTERS, random.randint(4, 16))
        text = "> " + " ".join((word * REPEATED)[:REPEATED])
    elif name == "lookup":
        text = written(lines(*lookup(random, random.randint(2, KEYS)), LOOKUPS))
    else:
        text = written(lines(*RULES[name](random)))
    return page(name, number, "train", text)


def heldout_page(name: str, number: int) -> dict[str, object]:
    """The last of its lines is what a task asks for."""
    found = lines(*RULES[name](Random(f"heldout {name} {number}")))
    return {**page(name, number, "heldout", written(found)), "examples": found[:-1], **found[-1]}


def write(path: Path, pages: list[dict[str, object]], *fields: str) -> None:
    text = "".join(json.dumps({field: each[field] for field in fields}) + "\n" for each in pages)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path}: {len(pages):,} pages, {len(text):,} bytes, {path.stat().st_size:,} stored")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out: Path = parser.parse_args().out
    train = [training_page(TAUGHT[number % len(TAUGHT)], number) for number in range(TRAIN)]
    heldout = {name: [heldout_page(name, number) for number in range(HELDOUT)] for name in RULES}
    write(out / "incontext.jsonl.xz", [*train, *chain(*heldout.values())], "text", "title", "source", "split")
    for name, pages in heldout.items():
        write(out / "incontext" / f"{name}.jsonl.xz", pages, "examples", "x", "y", "split")


if __name__ == "__main__":
    main()
