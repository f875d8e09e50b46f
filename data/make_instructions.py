"""Makes instructions/: what four tasks teach and ask, cut from the novels. Programs check the answers.

    python data/make_instructions.py

TASK.jsonl.xz has demonstrations for sft. As people's are, they are mixed: about half do what was asked. TASK-prompts
has the prompts that rank and ppo answer, with the fields that the task's rule reads. Held-out prompts are cut from
another book; half of them are worded as no prompt for training is.
"""

import json
import lzma
import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from random import Random
from typing import Any

from gptwright.text.rule_labeller import RULES

DATA = Path(__file__).parent
DEMONSTRATIONS, TRAIN, HELDOUT = 4000, 1600, 400
OBEYED = 0.5  # share of the demonstrations that do what was asked
SENTENCE = re.compile(r"(?<=[.!?] )[A-Z][A-Za-z,;' -]+[.!?](?=\s)")
FIRST_WORDS = ("But", "And", "It", "He", "She", "They", "There", "What")
AVOIDED = ("the", "and", "of", "to", "a")
Fields = dict[str, Any]


class Book:
    """Sentences of one side's books."""

    def __init__(self, split: str, dice: Random) -> None:
        with lzma.open(DATA / "novels.jsonl.xz", "rt", encoding="utf-8") as file:
            texts = [page["text"] for page in map(json.loads, file) if page["split"] == split]
        found = [" ".join(s.split()) for text in texts for s in SENTENCE.findall(text.replace("--", ", "))]
        self.dice, self.split = dice, split
        self.long = [s.split() for s in found if 14 <= len(s.split()) <= 30]
        self.brief = [s for s in found if 4 <= len(s.split()) <= 9]
        clauses = (clause.strip() for s in found for clause in re.split(r"[,;.!?]", s))
        self.clauses = [c for c in clauses if 2 <= len(c.split()) <= 4]

    def opening(self) -> tuple[str, list[str]]:
        """How a sentence begins, and its other words."""
        sentence, at = self.dice.choice(self.long), self.dice.randint(4, 6)
        return " ".join(sentence[:at]), sentence[at:]

    def sentence(self, fits: Callable[[str], bool] = lambda sentence: True) -> str:
        """A brief one that fits."""
        while not fits(found := self.dice.choice(self.brief)):
            pass
        return found


def cut(rest: list[str], count: int) -> str:
    """The first words, ended as a sentence."""
    return " ".join(rest[:count]).rstrip(",;.!?") + "."


# -- instructions ------------------------------------------------------------------------------

LEADS = {"known": ("Use {}.", "Write {}.", "It needs {}.", "Answer with {}."),
         "new": ("Please give me {}.", "This should have {}.")}  # fmt: skip
WORDINGS = {
    "capitals": (("capital letters", "only capital letters"), "nothing but capital letters"),
    "sentences": (("exactly {count}", "{count} and no more"), "{count}, not more"),
    "short": (("at most {count} words", "{count} words at most"), "no more than {count} words"),
    "question": (("a question at the end", "an end with a question mark"), "a question mark as its end"),
    "begin": (('"{word}" as the first word', 'the first word "{word}"'), '"{word}" for its first word'),
    "avoid": (('words but not "{word}"', 'no word "{word}"'), 'words, none of them "{word}"'),
    "list": (("a list of three items", "three items as a list"), "a list with three items"),
    "quotes": (("quotation marks around it", "quotation marks around it all"), "quotation marks around everything"),
}
COUNTED = {1: "one sentence", 2: "two sentences"}


def constraint(kind: str, dice: Random) -> Fields:
    drawn: dict[str, Fields] = {"sentences": {"count": dice.choice((1, 2))}, "short": {"count": dice.choice((4, 6, 8))},
             "begin": {"word": dice.choice(FIRST_WORDS)}, "avoid": {"word": dice.choice(AVOIDED)}}  # fmt: skip
    return {"kind": kind, **drawn.get(kind, {})}


def obeying(asked: Fields, rest: list[str], book: Book) -> str:
    """An answer of the book's own words that does what is asked."""
    dice, kind = book.dice, asked["kind"]
    plain = cut(rest, dice.randint(4, 8))
    made: dict[str, Callable[[], str]] = {
        "capitals": lambda: cut(rest, dice.randint(3, 5)).upper(),
        "sentences": lambda: plain if asked["count"] == 1 else f"{cut(rest, 4)} {book.sentence()}",
        "short": lambda: cut(rest, dice.randint(3, asked["count"])),
        "question": lambda: book.sentence(lambda s: s.endswith("?")),
        "begin": lambda: book.sentence(lambda s: s.split()[0] == asked["word"]),
        "avoid": lambda: book.sentence(lambda s: met(asked, s)),
        "list": lambda: "\n".join(f"- {clause}" for clause in dice.sample(book.clauses, 3)),
        "quotes": lambda: f'"{plain}"',
    }
    return made[kind]()


def other(asked: Fields, rest: list[str], book: Book) -> str:
    """One that does not."""
    if asked["kind"] == "sentences":
        return f"{cut(rest, 4)} {book.sentence()}" if asked["count"] == 1 else cut(rest, book.dice.randint(4, 8))
    count = 12 if asked["kind"] == "short" else book.dice.randint(4, 8)
    plain = cut(rest, count)
    return plain if not met(asked, plain) else book.sentence(lambda s: not met(asked, s))


def met(asked: Fields, answer: str) -> bool:
    return RULES["instructions"]({"constraints": [asked]}, answer) == 1


def instruction(number: int, book: Book) -> tuple[str, str, str, Fields]:
    """The prompt, an answer that does what is asked, one that does not, and the fields of the line."""
    dice, kind = book.dice, list(WORDINGS)[number % len(WORDINGS)]
    wording = "new" if book.split == "heldout" and number // len(WORDINGS) % 2 else "known"
    asked = constraint(kind, dice)
    known, new = WORDINGS[kind]
    form = new if wording == "new" else dice.choice(known)
    shown = asked | ({"count": COUNTED[asked["count"]]} if kind == "sentences" else {})
    beginning, rest = book.opening()
    prompt = f"{dice.choice(LEADS[wording]).format(form.format(**shown))} Continue: {beginning}"
    fields: Fields = {"kind": kind, "constraints": [asked], "wording": wording}
    return prompt, obeying(asked, rest, book), other(asked, rest, book), fields


# -- the other tasks ---------------------------------------------------------------------------


def length(number: int, book: Book) -> tuple[str, str, str, Fields]:
    (beginning, rest), count = book.opening(), 3 + number % 6
    form = "In {} words, go on with: {}" if book.split == "heldout" and number % 2 else book.dice.choice(
        ("Continue in {} words: {}", "Go on in {} words: {}"))  # fmt: skip
    wrong = book.dice.choice([n for n in range(3, 9) if n != count])
    return form.format(count, beginning), cut(rest, count), cut(rest, wrong), {"words": count}


SUMS = [(a, b) for a in range(1, 20) for b in range(1, 20)]
HELDOUT_SUMS = Random("sums").sample(SUMS, 60)


def total(number: int, book: Book) -> tuple[str, str, str, Fields]:
    heldout = book.split == "heldout"
    a, b = book.dice.choice(HELDOUT_SUMS if heldout else [pair for pair in SUMS if pair not in HELDOUT_SUMS])
    form = (
        "Please add {} and {}." if heldout and number % 2 else book.dice.choice(("What is {} + {}?", "Add {} and {}."))
    )
    wrong = book.dice.choice((f"It is {a + b}.", f"{a + b}", f"Answer: {a + b + book.dice.choice((-1, 1, 2))}"))
    return form.format(a, b), f"Answer: {a + b}", wrong, {"sum": a + b}


def mood(number: int, book: Book) -> tuple[str, str, str, Fields]:
    form = "Go on: {}" if book.split == "heldout" and number % 2 else "Continue: {}"
    good, bad = (book.sentence(lambda s, side=side: side * RULES["sentiment"]({}, s) > 0.2) for side in (1, -1))
    return form.format(book.opening()[0]), good, bad, {}


TASKS = {"instructions": instruction, "length-target": length, "arithmetic": total, "sentiment": mood}
AMOUNTS = {"instructions": (DEMONSTRATIONS, TRAIN, HELDOUT)}
FEWER = (1000, 600, 200)


def demonstrations(task: str, count: int) -> Iterator[Fields]:
    book = Book("train", Random(f"{task} demonstrations"))
    for number in range(count):
        prompt, good, bad, _ = TASKS[task](number, book)
        # The space before the first word belongs to it: without it a word falls into pieces.
        said = {"role": "assistant", "content": " " + (good if book.dice.random() < OBEYED else bad)}
        yield {"messages": [{"role": "user", "content": prompt}, said]}


def prompts(task: str, split: str, count: int, taken: Container[str] = ()) -> Iterator[Fields]:
    """Prompts none of which is `taken`."""
    book = Book(split, Random(f"{task} {split}"))
    for number in range(count):
        prompt, _, _, fields = TASKS[task](number, book)
        while prompt in taken:
            prompt, _, _, fields = TASKS[task](number, book)
        yield {"prompt": prompt, **fields, "split": split}


def write(path: Path, lines: list[Fields]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {len(lines):,} lines, {path.stat().st_size:,} bytes stored")


def main() -> None:
    folder = DATA / "instructions"
    folder.mkdir(exist_ok=True)
    for task in TASKS:
        taught, train, heldout = AMOUNTS.get(task, FEWER)
        shown = list(demonstrations(task, taught))
        asked = list(prompts(task, "train", train))
        taken = {line["messages"][0]["content"] for line in shown} | {line["prompt"] for line in asked}
        write(folder / f"{task}.jsonl.xz", shown)
        write(folder / f"{task}-prompts.jsonl.xz", [*asked, *prompts(task, "heldout", heldout, taken)])


if __name__ == "__main__":
    main()
