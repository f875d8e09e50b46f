import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.split_words import read_split


@pytest.mark.parametrize("word", ["train", "training", "Train", " TRAINING\n"])
def test_words_for_training(word: str) -> None:
    assert read_split(word, "line 1") == "train"


@pytest.mark.parametrize(
    "word",
    ["heldout", "held-out", "held_out", "Held Out", "holdout", "hold-out", "test", "TEST", "validation", "validate",
     "valid", "val", "dev", "development", "eval", "evaluation"],
)  # fmt: skip
def test_words_for_what_is_held_out(word: str) -> None:
    assert read_split(word, "line 1") == "heldout"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_names_no_side(value: object) -> None:
    assert read_split(value, "line 1") is None


@pytest.mark.parametrize("value", ["tran", "None", "none", "en", "0", 0, 1, True, False, ["test"], {"a": 1}, 1.5])
def test_what_is_unknown_never_means_train(value: object) -> None:
    with pytest.raises(InputError, match=r"split in line 7 of a\.jsonl"):
        read_split(value, "line 7 of a.jsonl")
