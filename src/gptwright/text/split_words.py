"""The words by which files say in which split a line is. An unknown word is refused: it must never come to mean
"train" by itself."""

import re

from gptwright.foundations.errors import InputError, nearest
from gptwright.text.split import Split

TRAIN = ("train", "training")
HELDOUT = ("heldout", "held-out", "holdout", "hold-out", "test", "testing", "validation", "validate", "valid", "val",
           "dev", "devel", "development", "eval", "evaluation")  # fmt: skip
SPLITS: dict[str, Split] = {**dict.fromkeys(TRAIN, "train"), **dict.fromkeys(HELDOUT, "heldout")}


def read_split(value: object, where: str) -> Split | None:
    """The split that a field "split" names, in any letter case; None for null and empty text, which name none.

    Raises `InputError` naming the line for anything else.
    """
    word = re.sub(r"[\s_]+", "-", value.strip().lower()) if isinstance(value, str) else value
    if word is None or word == "":
        return None
    if not isinstance(word, str) or word not in SPLITS:
        raise InputError(f"'train' or 'heldout' as split in {where}", repr(value)[:40],
                         f"{nearest(str(word), SPLITS)} Or rename the field, if it says something else.")  # fmt: skip
    return SPLITS[word]
