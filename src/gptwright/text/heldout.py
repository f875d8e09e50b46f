"""Which lines are held out: chosen by a hash of their prompt, so that all lines of one prompt stand on one side.

The choice depends on nothing but the prompt: a prompt that measures in one file or stage is not learned in another.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gptwright.text.split import Split, uniform_hash

T = TypeVar("T")
HELDOUT_FRACTION = 0.1
SEED = 0


@dataclass(frozen=True)
class HeldoutSplit(Generic[T]):
    """`left_out` counts lines for training whose prompt another line holds out; they are on neither side."""

    train: list[T]
    heldout: list[T]
    left_out: int


def assign_splits(
    files: Sequence[Sequence[T]],
    prompt: Callable[[T], str],
    split: Callable[[T], Split | None],
    share: float = HELDOUT_FRACTION,
) -> HeldoutSplit[T]:
    """Both sides of all files together; `split` is what a line says of itself.

    In a file that holds lines out, the others are for training. In one that says nothing, about `share` of the prompts
    are held out, chosen by a hash; so they are from lines that say "train" when otherwise no line would be held out.
    With two prompts or more, neither side stays empty by the hash alone.
    """
    lines = [(line, normalised(prompt(line)), said) for file in files for line, said in _declared_splits(file, split)]
    fixed = {name for _, name, said in lines if said == "heldout"}
    open_ = {name for _, name, said in lines if said is None} - fixed
    learned = {name for _, name, said in lines if said == "train"} - fixed
    held = fixed | _choose_heldout(open_, share, keep=not learned, need=not fixed and not learned)
    if not held:
        lines = [(line, name, None) for line, name, _ in lines]
        held = _choose_heldout(open_ | learned, share, keep=True, need=True)
    return HeldoutSplit(
        [line for line, name, _ in lines if name not in held],
        [line for line, name, said in lines if name in held and said != "train"],
        sum(name in held and said == "train" for _, name, said in lines),
    )


def normalised(prompt: str) -> str:
    """The prompt as it is compared: letter case, spaces and ways to write the same letters do not tell two apart."""
    return " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def _declared_splits(file: Sequence[T], split: Callable[[T], Split | None]) -> list[tuple[T, Split | None]]:
    """What each line says of itself; where others are held out, a line that says nothing is for training."""
    said = [split(line) for line in file]
    if "heldout" in said:
        said: list[Split | None] = [side or "train" for side in said]
    return list(zip(file, said, strict=True))


def _choose_heldout(prompts: set[str], share: float, *, keep: bool, need: bool) -> set[str]:
    """Those to hold out: some at least where there is `need`, never all where some are to be kept for training."""
    order = sorted(prompts, key=lambda prompt: (uniform_hash(prompt, SEED), prompt))
    count = sum(uniform_hash(prompt, SEED) < share for prompt in order)
    most = len(order) - 1 if keep else len(order)
    return set(order[: max(min(count, most), min(int(need), most), 0)])
