"""Tasks of code: HumanEval as it is released (Chen et al. 2021), and holes in its solutions (Bavarian et al. 2022).

The three infilling benchmarks are made of HumanEval's reference solutions: a line that is not blank, a run of lines, or
what stands between two places among the characters is taken out. It is right again when the tests pass.
"""

from collections.abc import Iterator
from math import comb
from pathlib import Path
from random import Random
from typing import Any

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import read_objects

Document = dict[str, Any]
FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
SPANS = 10  # random spans of each solution


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The chance that one of k answers passes, unbiased from so many samples (Chen et al. 2021, eq. 1).

    Raises `InputError` when there are fewer samples than k.
    """
    if k > samples:
        raise InputError(f"at least {k} answers to each problem for pass@{k}", f"{samples}", "Raise repeats.")
    return 1.0 - comb(samples - passed, k) / comb(samples, k)


def humaneval(path: Path) -> Iterator[Document]:
    """HumanEval.jsonl.gz: 164 heads of functions with their description, reference solutions, and tests."""
    for line in read_objects(path):
        missing = [name for name in FIELDS if not isinstance(line.get(name), str)]
        if missing:
            raise InputError(f"HumanEval's fields in {line.where}", f"no {missing[0]}", "Restore the file.")
        yield dict(line)


def single_line(path: Path) -> Iterator[Document]:
    """Every line of the solutions but the blank ones."""
    for problem in humaneval(path):
        lines = problem["canonical_solution"].splitlines(keepends=True)
        for number, line in enumerate(lines):
            if line.strip():
                yield _hole(problem, lines, number, number + 1)


def multi_line(path: Path) -> Iterator[Document]:
    """Every run of lines that begins and ends with one that is not blank."""
    for problem in humaneval(path):
        lines = problem["canonical_solution"].splitlines(keepends=True)
        full = [number for number, line in enumerate(lines) if line.strip()]
        yield from (_hole(problem, lines, first, last + 1) for first in full for last in full if last >= first)


def random_span(path: Path) -> Iterator[Document]:
    """Ten pairs of places in every solution, drawn anew for each problem and always the same."""
    for problem in humaneval(path):
        text, dice = problem["canonical_solution"], Random(problem["task_id"])
        for _ in range(SPANS):
            first, last = sorted(dice.sample(range(len(text) + 1), 2))
            yield _hole(problem, list(text), first, last)


def _hole(problem: Document, parts: list[str], first: int, last: int) -> Document:
    """The problem with what must be inserted; the line's end stays behind the hole where the hole is whole lines."""
    before, middle, after = "".join(parts[:first]), "".join(parts[first:last]), "".join(parts[last:])
    if middle.endswith("\n") and len(parts[first]) > 1:
        middle, after = middle[:-1], "\n" + after
    return problem | {"before": problem["prompt"] + before, "middle": middle, "after": after}
