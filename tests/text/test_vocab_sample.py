from collections import Counter

import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.text.mix import Mix
from gptwright.text.vocab_sample import VocabSample, vocab_sample

ROWS = [
    ("en", f"text {i:04} of a hundred letters, more or less, it goes on and on so that it is one of a hundred")
    for i in range(1_000)
]
ROWS += [("zh", "\u8a69" * 30 + f"{i:04}") for i in range(100)]
SIZES = {
    "en": sum(len(t.encode()) for s, t in ROWS if s == "en"),
    "zh": sum(len(t.encode()) for s, t in ROWS if s == "zh"),
}


def sample(mix: Mix | None = None, most: int = 10**9) -> VocabSample:
    return vocab_sample(lambda: ROWS, mix, most)


def read(found: VocabSample) -> Counter[str]:
    """Bytes of every source."""
    source = {text: name for name, text in ROWS}
    sizes = Counter[str]()
    for text in found.texts():
        sizes[source[text]] += len(text.encode())
    return sizes


def test_without_a_mix_every_text_is_read_once_in_order() -> None:
    assert list(sample().texts()) == [text for _, text in ROWS]


def test_too_much_text_is_drawn_alike_from_all_sources() -> None:
    found = sample(most=30_000)
    assert found.epochs["en"] == found.epochs["zh"] == 30_000 / sum(SIZES.values())
    assert read(found).total() == pytest.approx(30_000, rel=0.1)
    assert list(found.texts()) == list(sample(most=30_000).texts())


def test_more_text_has_all_that_less_had() -> None:
    few, many = set(sample(most=20_000).texts()), set(sample(most=40_000).texts())
    assert few < many


def test_shares_repeat_what_is_little_and_lose_nothing_of_the_rest() -> None:
    found = sample(Mix("shares", {"zh": 1.0, "*": 1.0}))
    assert found.epochs["en"] == 1.0
    assert found.epochs["zh"] == pytest.approx(SIZES["en"] / SIZES["zh"])
    sizes = read(found)
    assert sizes["en"] == SIZES["en"] and sizes["zh"] == pytest.approx(sizes["en"], rel=0.05)
    assert found.megabytes == pytest.approx({"*": SIZES["en"] / 1e6, "zh": SIZES["en"] / 1e6})


def test_shares_hold_where_there_is_too_much() -> None:
    found = sample(Mix("shares", {"zh": 3.0, "*": 1.0}), most=40_000)
    assert found.megabytes == pytest.approx({"*": 0.01, "zh": 0.03})
    assert read(found)["zh"] == pytest.approx(30_000, rel=0.05)


def test_epochs_say_how_often_and_zero_leaves_out() -> None:
    found = sample(Mix("epochs", {"zh": 2.0, "*": 0.0}))
    assert read(found) == {"zh": 2 * SIZES["zh"]}


def test_sources_share_the_number_of_their_pattern() -> None:
    rows = [("a1", "x" * 100), ("a2", "y" * 300), ("b", "z" * 100)]
    found = vocab_sample(lambda: rows, Mix("shares", {"a*": 1.0, "b": 1.0}), 10**9)
    assert found.epochs == {"a1": 1.0, "a2": 1.0, "b": 4.0}


def test_what_a_vocabulary_cannot_be_learned_from_is_named() -> None:
    with pytest.raises(ConfigError, match="vocab_megabytes says"):
        sample(Mix("shares", {"*": 1.0}, tokens=9))
    with pytest.raises(ConfigError, match="a source for fr in the mix"):
        sample(Mix("shares", {"fr": 1.0, "*": 1.0}))
    with pytest.raises(ConfigError, match="more than none"):
        sample(Mix("shares", {"none": 0.0, "zh": 0.0, "*": 0.0}))
