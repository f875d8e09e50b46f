"""Which lines are held out: chosen by a hash of their prompt, so that all lines of one prompt are in one split.

The choice depends on nothing but the prompt: a prompt that measures in one file or stage is not learned in another.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gptwright.text.split import Split, uniform_hash

T = TypeVar("T")
HELDOUT_FRACTION = 0.1
SEED = 0


@dataclass(frozen=True)
class HeldoutSplit(Generic[T]):
    """`left_out` counts lines for training whose prompt another line holds out; they are in neither split."""

    train: list[T]
    heldout: list[T]
    left_out: int


@dataclass(frozen=True)
class _Line(Generic[T]):
    item: T
    prompt: str
    declared: Split | None


def assign_splits(
    files: Sequence[Sequence[T]],
    prompt: Callable[[T], str],
    split: Callable[[T], Split | None],
    heldout_fraction: float = HELDOUT_FRACTION,
) -> HeldoutSplit[T]:
    """Both splits of all files together; `split` is what a line says of itself.

    In a file that holds lines out, the others are for training. In one that says nothing, about `heldout_fraction` of
    the prompts are held out, chosen by a hash; so they are from lines that say "train" when otherwise no line would be
    held out. With two prompts or more, neither split stays empty by the hash alone.
    """
    lines = [_Line(item, normalised(prompt(item)), declared)
             for file in files for item, declared in _declared_splits(file, split)]  # fmt: skip
    heldout = _declared_or_chosen(lines, heldout_fraction)
    if not heldout:
        lines = [replace(line, declared=None) for line in lines]
        heldout = _choose_heldout({line.prompt for line in lines}, heldout_fraction, keep=True, need=True)
    inside = [line for line in lines if line.prompt in heldout]
    return HeldoutSplit(
        train=[line.item for line in lines if line.prompt not in heldout],
        heldout=[line.item for line in inside if line.declared != "train"],
        left_out=sum(line.declared == "train" for line in inside),
    )


def _declared_or_chosen(lines: Sequence[_Line[T]], heldout_fraction: float) -> set[str]:
    """The prompts that a line holds out, and those that the hash chooses among the undeclared ones."""
    heldout = {line.prompt for line in lines if line.declared == "heldout"}
    train = {line.prompt for line in lines if line.declared == "train"} - heldout
    undeclared = {line.prompt for line in lines if line.declared is None} - heldout
    nothing_declared = not heldout and not train
    return heldout | _choose_heldout(undeclared, heldout_fraction, keep=not train, need=nothing_declared)


def normalised(prompt: str) -> str:
    """The prompt as it is compared: letter case, spaces and ways to write the same letters do not tell two apart."""
    return " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def _declared_splits(file: Sequence[T], split: Callable[[T], Split | None]) -> list[tuple[T, Split | None]]:
    """What each line says of itself; where others are held out, a line that says nothing is for training."""
    declared = [split(line) for line in file]
    if "heldout" in declared:
        declared: list[Split | None] = [name or "train" for name in declared]
    return list(zip(file, declared, strict=True))


def _choose_heldout(prompts: set[str], heldout_fraction: float, *, keep: bool, need: bool) -> set[str]:
    """Those to hold out: some at least where there is `need`, never all where some are to be kept for training."""
    order = sorted(prompts, key=lambda prompt: (uniform_hash(prompt, SEED), prompt))
    count = sum(uniform_hash(prompt, SEED) < heldout_fraction for prompt in order)
    most = len(order) - 1 if keep else len(order)
    return set(order[: max(min(count, most), min(int(need), most), 0)])
