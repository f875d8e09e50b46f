"""Write code/functions.jsonl.xz: small functions from descriptions, with the examples that test them; and
code/unsolved.jsonl.xz: more of them, whose bodies nobody shows.

    python data/make_functions.py

A function is a chain of one to three STEPS, each a phrase of the description and a line of the body. What an example
must print is found by running the body, and every step is needed: without it an example fails. Chains of steps that are
held out are never shown in another function's description, and held-out functions have names of their own.
"""

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from random import Random
from typing import Any

from gptwright.text.split import uniform_hash

TRAIN, HELDOUT, SHARE = 950, 250, 0.2  # functions of each side, and the share of chains that are held out
UNSOLVED = 1200
EXAMPLES, TRIES = 3, 20
VERBS = {"train": ("get", "find", "make", "take", "work_out", "compute"), "heldout": ("derive", "fetch", "prepare")}
NOUNS = {"train": ("result", "value", "answer", "output", "it"), "heldout": ("outcome", "thing", "response")}
PARAMETERS = {"numbers": ("numbers", "values", "scores", "items"), "words": ("words", "names", "lines", "tags"),
              "text": ("text", "line", "title", "label"), "number": ("number", "n", "count", "size")}  # fmt: skip
LETTERS = "aeorst"
WORDS = ("tree", "rose", "stone", "at", "sea", "toast", "Rest", "east", "ore", "a", "Star", "roast", "treat", "see")
DICE = Random(0)
POOL: dict[str, list[Any]] = {
    "numbers": [[DICE.randint(-9, 20) for _ in range(DICE.randint(4, 7))] for _ in range(40)],
    "words": [DICE.sample(WORDS, DICE.randint(3, 6)) for _ in range(40)],
    "text": [" ".join(DICE.sample(WORDS, DICE.randint(2, 4))) for _ in range(40)],
    "number": [*range(-12, 40)],
}


@dataclass(frozen=True)
class Step:
    """From a value of one kind to one of another: how it is said, and the expression over {x}; {k} is drawn."""

    name: str
    given: str
    found: str
    said: tuple[str, ...]
    expression: str
    constants: tuple[Any, ...] = ("",)


STEPS = (
    Step("even", "numbers", "numbers", ("keep the even ones", "drop the odd ones"),
         "[item for item in {x} if item % 2 == 0]"),
    Step("odd", "numbers", "numbers", ("keep the odd ones", "drop the even ones"),
         "[item for item in {x} if item % 2 == 1]"),
    Step("above", "numbers", "numbers", ("keep those above {k}", "keep what is larger than {k}"),
         "[item for item in {x} if item > {k}]", (0, 1, 2, 3, 5, 8)),
    Step("below", "numbers", "numbers", ("keep those below {k}", "keep what is smaller than {k}"),
         "[item for item in {x} if item < {k}]", (4, 6, 9, 10, 12)),
    Step("times", "numbers", "numbers", ("multiply each by {k}", "make each {k} times as large"),
         "[item * {k} for item in {x}]", (2, 3, 4, 5, 10)),
    Step("plus", "numbers", "numbers", ("add {k} to each", "raise each by {k}"),
         "[item + {k} for item in {x}]", (1, 2, 3, 5, 7, 10)),
    Step("square", "numbers", "numbers", ("square each", "multiply each by itself"), "[item * item for item in {x}]"),
    Step("absolute", "numbers", "numbers", ("drop the signs", "take absolute values"), "[abs(item) for item in {x}]"),
    Step("sort", "numbers", "numbers", ("sort them", "put them in rising order"), "sorted({x})"),
    Step("reverse", "numbers", "numbers", ("reverse them", "turn their order around"), "{x}[::-1]"),
    Step("head", "numbers", "numbers", ("take the first {k}", "keep the first {k}"), "{x}[:{k}]", (2, 3)),
    Step("tail", "numbers", "numbers", ("take the last {k}", "keep the last {k}"), "{x}[-{k}:]", (2, 3)),
    Step("rest", "numbers", "numbers", ("drop the first", "leave the first out"), "{x}[1:]"),
    Step("sum", "numbers", "number", ("add them up", "take their sum"), "sum({x})"),
    Step("largest", "numbers", "number", ("take the largest", "find the maximum"), "max({x})"),
    Step("smallest", "numbers", "number", ("take the smallest", "find the minimum"), "min({x})"),
    Step("first", "numbers", "number", ("take the first one", "pick the first one"), "{x}[0]"),
    Step("last", "numbers", "number", ("take the last one", "pick the last one"), "{x}[-1]"),
    Step("count", "numbers", "number", ("count them", "find how many there are"), "len({x})"),
    Step("begin", "words", "words", ("keep those that begin with {k!r}", "keep what starts with {k!r}"),
         "[item for item in {x} if item.startswith({k!r})]", tuple(LETTERS)),
    Step("end", "words", "words", ("keep those that end with {k!r}", "keep what ends in {k!r}"),
         "[item for item in {x} if item.endswith({k!r})]", tuple(LETTERS)),
    Step("hold", "words", "words", ("keep those with {k!r} in them", "keep what contains {k!r}"),
         "[item for item in {x} if {k!r} in item]", tuple(LETTERS)),
    Step("long", "words", "words", ("keep those longer than {k} letters", "drop those of at most {k} letters"),
         "[item for item in {x} if len(item) > {k}]", (2, 3, 4)),
    Step("capitals", "words", "words", ("write each in capitals", "change each to upper case"),
         "[item.upper() for item in {x}]"),
    Step("initials", "words", "words", ("take the first letter of each", "cut each to its first letter"),
         "[item[0] for item in {x}]"),
    Step("sort words", "words", "words", ("sort them", "put them in rising order"), "sorted({x})"),
    Step("reverse words", "words", "words", ("reverse them", "turn their order around"), "{x}[::-1]"),
    Step("lengths", "words", "numbers", ("take the length of each", "measure each"), "[len(item) for item in {x}]"),
    Step("join", "words", "text", ("join them with {k!r}", "write {k!r} between them"), "{k!r}.join({x})",
         ("-", ", ", "+", "/", " ")),
    Step("longest", "words", "text", ("take the longest", "find the longest"), "max({x}, key=len)"),
    Step("first word", "words", "text", ("take the first one", "pick the first one"), "{x}[0]"),
    Step("last word", "words", "text", ("take the last one", "pick the last one"), "{x}[-1]"),
    Step("count words", "words", "number", ("count them", "find how many there are"), "len({x})"),
    Step("upper", "text", "text", ("write it in capitals", "change it to upper case"), "{x}.upper()"),
    Step("lower", "text", "text", ("write it in small letters", "change it to lower case"), "{x}.lower()"),
    Step("backwards", "text", "text", ("write it backwards", "turn it around"), "{x}[::-1]"),
    Step("twice", "text", "text", ("repeat it {k} times", "write it {k} times in a row"), "{x} * {k}", (2, 3)),
    Step("beginning", "text", "text", ("cut it after {k} characters", "keep its first {k} characters"), "{x}[:{k}]",
         (2, 3, 4, 5)),
    Step("replace", "text", "text", ("put {k!r} in place of spaces", "replace spaces by {k!r}"),
         "{x}.replace(' ', {k!r})", ("-", "_", "+")),
    Step("split", "text", "words", ("split it into words", "take its words"), "{x}.split()"),
    Step("length", "text", "number", ("take its length", "find how long it is"), "len({x})"),
    Step("often", "text", "number", ("count {k!r} in it", "find how often it has {k!r}"), "{x}.count({k!r})",
         tuple(LETTERS)),
    Step("add", "number", "number", ("add {k}", "raise it by {k}"), "{x} + {k}", (1, 2, 3, 5, 7, 10)),
    Step("multiply", "number", "number", ("multiply it by {k}", "make it {k} times as large"), "{x} * {k}",
         (2, 3, 4, 5)),
    Step("subtract", "number", "number", ("subtract {k}", "lower it by {k}"), "{x} - {k}", (1, 2, 3, 4, 6)),
    Step("remainder", "number", "number", ("take the remainder by {k}", "find what is left after dividing by {k}"),
         "{x} % {k}", (3, 4, 5, 7)),
    Step("is even", "number", "truth", ("tell whether it is even", "say if two divides it"), "{x} % 2 == 0"),
    Step("is above", "number", "truth", ("tell whether it is above {k}", "say if it is larger than {k}"), "{x} > {k}",
         (0, 3, 5, 10)),
)  # fmt: skip
Chain = tuple[Step, ...]


def chains() -> Iterator[Chain]:
    """Of one to three different steps that fit together."""
    for length in (1, 2, 3):
        for chain in product(STEPS, repeat=length):
            fits = all(one.found == other.given for one, other in pairwise(chain))
            if fits and len({step.name for step in chain}) == length:
                yield chain


def side(chain: Chain) -> str:
    """Single steps are always shown."""
    held_out = len(chain) > 1 and uniform_hash("/".join(step.name for step in chain), 0) < SHARE
    return "heldout" if held_out else "train"


def function(chain: Chain, dice: Random) -> dict[str, Any] | None:
    """A line of the file; None where no examples tell the chain from one without one of its steps."""
    split, x = side(chain), dice.choice(PARAMETERS[chain[0].given])
    constants = [dice.choice(step.constants) for step in chain]
    said = [dice.choice(step.said).format(k=k) for step, k in zip(chain, constants, strict=True)]
    lines = [f"{x} = {step.expression.format(x=x, k=k)}" for step, k in zip(chain, constants, strict=True)]
    name = f"{dice.choice(VERBS[split])}_{dice.choice(NOUNS[split])}"
    for _ in range(TRIES):
        inputs = dice.sample(POOL[chain[0].given], EXAMPLES)
        wanted = outputs(lines, x, inputs)
        shorter = [outputs(lines[:place] + lines[place + 1 :], x, inputs) for place in range(len(lines))]
        if None not in wanted and wanted not in shorter and len({*map(str, wanted)}) > 1:
            break
    else:
        return None
    examples = [(f"{name}({given!r})\n", f"{found!r}\n") for given, found in zip(inputs, wanted, strict=True)]
    told = f"Given {x}, {', '.join(said[:-1])}{' and ' if said[:-1] else ''}{said[-1]}."
    body = [*lines[:-1], f"return {lines[-1].partition(' = ')[2]}"]
    return {
        "prompt": f'def {name}({x}):\n    """{told}\n\n    >>> {examples[0][0]}    {examples[0][1]}    """\n',
        "completion": "".join(f"    {line}\n" for line in body), "examples": examples,
        "kind": f"{len(chain)} step{'s' * (len(chain) > 1)}", "split": split,
    }  # fmt: skip


def outputs(lines: list[str], x: str, inputs: list[Any]) -> list[Any]:
    """What the steps make of each input, None where they fail."""
    found: list[Any] = []
    for given in inputs:
        names: dict[str, Any] = {x: given}
        try:
            exec("\n".join(lines), names)
        except (IndexError, TypeError, ValueError, AttributeError):
            names[x] = None
        found.append(names[x])
    return found


def draw(count: int, lengths: tuple[int, ...], pool: list[Chain], known: set[str], dice: Random) -> Iterator[Any]:
    """So many functions that are not known yet."""
    while count:
        length = dice.choice(lengths)
        line = function(dice.choice([chain for chain in pool if len(chain) == length]), dice)
        if line and line["prompt"] not in known:
            known.add(line["prompt"])
            count -= 1
            yield line


def write(name: str, lines: list[Any]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path = Path(__file__).resolve().parent / "code" / name
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(name, len(lines), len(text), path.stat().st_size)


def main() -> None:
    dice, known = Random(1), set[str]()
    by_side: dict[str, list[Chain]] = {"train": [], "heldout": []}
    for chain in chains():
        by_side[side(chain)].append(chain)
    print({split: len(some) for split, some in by_side.items()})
    found = [*draw(TRAIN, (1, 2, 2, 3, 3), by_side["train"], known, dice)]
    found += draw(HELDOUT, (2, 3), by_side["heldout"], known, dice)
    write("functions.jsonl.xz", found)
    unsolved = [*draw(UNSOLVED, (2, 3), by_side["train"], known, dice)]
    write("unsolved.jsonl.xz", [{name: line[name] for name in ("prompt", "examples", "kind")} for line in unsolved])


if __name__ == "__main__":
    main()
