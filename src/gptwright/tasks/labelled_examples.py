"""Labelled examples out of tables: which column is what, which labels there are, what is learned and what is held out.

What would make a score untrue is counted and said before anything is learned: how common each class is, examples that
stand twice, and those for training that stand among the held-out ones too, which are left out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.errors import InputError, nearest
from gptwright.foundations.intake import Intake
from gptwright.text.heldout import assign_splits, normalised
from gptwright.text.jsonl import Line
from gptwright.text.split import Split
from gptwright.text.split_words import read_split
from gptwright.text.tables import read_table

Kind = Literal["class", "labels", "number", "choice"]
"""of a target: which class, which labels, how much, or which of an example's own choices"""


@dataclass(frozen=True)
class Example:
    """Texts and what is true of them, as a table says it."""

    texts: tuple[str, ...]
    label: str | tuple[str, ...]
    """one, or all that are true"""
    where: str
    split: Split | None = None
    group: str = ""
    """examples of one source belong together: all are learned from, or all are held out"""

    @property
    def labels(self) -> tuple[str, ...]:
        """What is true of it: one label, or any number of them."""
        return (self.label,) if isinstance(self.label, str) else self.label

    @property
    def number(self) -> float:
        """Its one label as a number."""
        return float(self.labels[0])


@dataclass(frozen=True)
class LabelledData:
    """Both sides of a task."""

    kind: Kind
    labels: tuple[str, ...]
    """the classes or labels; the name of the one number"""
    train: list[Example]
    heldout: list[Example]

    def target(self, example: Example) -> Float[Tensor, "..."]:
        """The number of its class or choice, the number itself, or 1 for each label that is true and 0 for others."""
        if self.kind == "labels":
            return torch.tensor([float(label in example.labels) for label in self.labels])
        return torch.tensor(example.number if self.kind != "class" else float(self.labels.index(example.labels[0])))

    @property
    def middle_and_spread(self) -> tuple[float, float]:
        """Of the numbers that are learned; 0 and 1 where there are none. Raises `InputError` when all are the same."""
        if self.kind != "number":
            return 0.0, 1.0
        numbers = [example.number for example in self.train]
        if (spread := pstdev(numbers)) == 0:
            raise InputError("numbers that differ as labels", f"{numbers[0]:g} throughout", "Add examples.")
        return fmean(numbers), spread


def read_labelled(
    shape: str,
    data: Sequence[Path],
    heldout: Sequence[Path],
    columns: Mapping[str, str],
    declared: Sequence[str],
    intake: Intake,
) -> LabelledData:
    """The examples of all tables, split as `heldout` tables say, or rows, or a hash of the group or the texts.

    `columns` gives the table's name of each role, `declared` the only labels that there may be. Raises `InputError`
    naming a row that lacks a column or has another label, and when a side or all but one class is empty.
    """
    files = [list(_examples(path, shape, columns, intake)) for path in data]
    held = [list(_examples(path, shape, columns, intake)) for path in heldout]
    kind = _kind(shape, [e for file in files + held for e in file], declared)
    sides = assign_splits(
        [*files, *held],
        lambda e: e.group or _key(shape, e),
        _declared(held),
    )
    intake.drop("whose group or texts are held out", count=sides.left_out)
    keys = {_key(shape, example) for example in sides.heldout}
    train = list[Example]()
    for example in sides.train:
        if _key(shape, example) in keys:
            intake.drop("whose texts are held out", example.where)
        else:
            train.append(example)
    for side, name in ((train, "to train on"), (sides.heldout, "held out")):
        intake.require(side, f"labelled examples {name}", "Add rows, or correct their columns.")
    labels = _labels(kind, [*train, *sides.heldout], declared)
    return LabelledData(kind, labels, train, sides.heldout)


def describe(data: LabelledData, shape: str, times: float) -> str:
    """What is used, each class with its share, and what stands twice: one line, for people who will trust the score."""
    train = f"{len(data.train):,} examples to train on{_balance(data, data.train)}, {times:.1f} times each"
    held = f"{len(data.heldout):,} held out{_balance(data, data.heldout)}"
    return ", ".join([train, held, *_repeated("train", data.train, shape), *_repeated("held-out", data.heldout, shape)])


def _declared(held: Sequence[Sequence[Example]]) -> Callable[[Example], Split | None]:
    """What a row says of its split. Where tables are held out, all of them is, and what says nothing is not."""
    inside = {id(example) for file in held for example in file}
    otherwise: Split | None = "train" if held else None
    return lambda example: "heldout" if id(example) in inside else example.split or otherwise


def _examples(path: Path, shape: str, columns: Mapping[str, str], intake: Intake) -> Iterator[Example]:
    for row in read_table(path):
        texts, label = list(_texts(row, shape, columns)), _label(_value(row, columns["label"]))
        if not all(text.strip() for text in texts):
            intake.drop("without a text", row.where)
        elif label == "":
            intake.drop("without a label", row.where)
        else:
            if shape == "multiple-choice":
                label = _choice(label, texts[1:], row.where)
            split = read_split(row.get(columns["split"]), row.where)
            yield Example(tuple(texts), label, row.where, split, _word(row.get(columns["group"])))


def _texts(row: Line, shape: str, columns: Mapping[str, str]) -> Iterator[str]:
    roles = {"classification": ("text",), "entailment": ("premise", "hypothesis"), "similarity": ("first", "second"),
             "multiple-choice": ("context", "choices")}[shape]  # fmt: skip
    for role in roles:
        names = columns[role].split(",") if role == "choices" else [columns[role]]
        values = [_value(row, name) for name in names]
        if role == "choices" and len(values) == 1 and isinstance(values[0], list):
            values = cast("list[Any]", values[0])
        for value in values:
            if not isinstance(value, str | None):
                raise InputError(f"text in '{columns[role]}' in {row.where}", repr(value)[:40], "Mend the row.")
            yield value or ""
        if role == "choices" and len(values) < 2:
            raise InputError(f"two choices or more in '{columns[role]}' in {row.where}", f"{len(values)}",
                             "Give a list, or several columns: --columns choices=FIRST,SECOND.")  # fmt: skip


def _value(row: Line, column: str) -> Any:
    if column not in row:
        raise InputError(f"a column '{column}' in {row.where}", f"the columns {', '.join(row)}",
                         f"{nearest(column, row)} Name it with --columns ROLE=COLUMN.")  # fmt: skip
    return row[column]


def _label(value: object) -> str | tuple[str, ...]:
    """One label, empty where there is none; of a list all its labels, of which there may be none."""
    if isinstance(value, list):
        return tuple(filter(None, map(_word, cast("list[object]", value))))
    return _word(value)


def _word(value: object) -> str:
    """A label or a group as text; what is not there, and not a number, is empty."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()


def _choice(label: str | tuple[str, ...], choices: Sequence[str], where: str) -> str:
    """The number, from 0, of the right choice, which is given by its text or by its number."""
    same = [number for number, choice in enumerate(choices) if choice.strip() == label]
    if len(same) == 1:
        return str(same[0])
    if isinstance(label, str) and label.isdecimal() and int(label) < len(choices):
        return str(int(label))
    raise InputError(f"the text of a choice, or its number from 0 to {len(choices) - 1}, as label in {where}",
                     repr(label)[:40], "Mend the row.")  # fmt: skip


def _kind(shape: str, examples: Sequence[Example], declared: Sequence[str]) -> Kind:
    """Lists are labels of which several may be true; similarity by more than two numbers is learned as a number, all
    else as classes."""
    if shape == "multiple-choice":
        return "choice"
    if any(isinstance(example.label, tuple) for example in examples):
        return "labels"
    seen = {label for example in examples for label in example.labels}
    numeric = shape == "similarity" and not declared and len(seen) > 2 and all(map(_is_number, seen))
    return "number" if numeric else "class"


def _is_number(word: str) -> bool:
    try:
        return isfinite(float(word))
    except ValueError:
        return False


def _labels(kind: Kind, examples: Sequence[Example], declared: Sequence[str]) -> tuple[str, ...]:
    """The classes in order. Raises `InputError` for a label that is not declared, when there is one class only, or no
    label that an example has."""
    if kind in ("number", "choice"):
        return ("choice",) if kind == "choice" else ("similarity",)
    if declared:
        _check_declared(examples, declared)
        return tuple(declared)
    seen = sorted({label for example in examples for label in example.labels}, key=_numbers_first)
    if len(seen) < (2 if kind == "class" else 1):
        raise InputError("examples of two classes or more", f"{seen[0]!r} only" if seen else "no label at all",
                         "Add examples of others.")  # fmt: skip
    return tuple(seen)


def _check_declared(examples: Sequence[Example], declared: Sequence[str]) -> None:
    for label, where in ((label, example.where) for example in examples for label in example.labels):
        if label not in declared:
            raise InputError(f"one of the labels {', '.join(declared)} in {where}", f"'{label[:40]}'",
                             nearest(label, declared))  # fmt: skip


def _numbers_first(word: str) -> tuple[int, float, str]:
    return (0, float(word), "") if _is_number(word) else (1, 0, word)


def _key(shape: str, example: Example) -> str:
    """What makes two examples one: their texts as they are compared; of a similarity in any order."""
    texts = [normalised(text) for text in example.texts]
    return "\n".join(sorted(texts) if shape == "similarity" else texts)


def _balance(data: LabelledData, examples: Sequence[Example]) -> str:
    if data.kind == "number":
        numbers = [example.number for example in examples]
        return f" ({min(numbers):g} to {max(numbers):g}, {fmean(numbers):.3g} on the average)"
    counts = Counter(label for example in examples for label in example.labels)
    names = {label: label if data.kind != "choice" else f"choice {label}" for label in counts}
    return f" ({', '.join(f'{names[label]} {count / len(examples):.0%}' for label, count in counts.most_common(6))})"


def _repeated(name: str, examples: Sequence[Example], shape: str) -> list[str]:
    labels: dict[str, list[frozenset[str]]] = {}
    for example in examples:
        labels.setdefault(_key(shape, example), []).append(frozenset(example.labels))
    again = sum(len(each) - 1 for each in labels.values())
    torn = sum(len({*each}) > 1 for each in labels.values())
    found = [f"{again:,} repeated in {name}"] if again else []
    return [*found, f"{torn:,} of them with other labels"] if torn else found
