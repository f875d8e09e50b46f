import sys

import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.text import answer_rules
from gptwright.text.answer_rules import arithmetic, length_target, sentiment


@pytest.mark.parametrize(
    ("answer", "score"),
    [("one two three", 0), ("one, two; three!", 0), ("don't well-known été", 0), ("one", -2), ("", -3), ("… 🙂", -3),
     ("one two three four 5", -2)],
)  # fmt: skip
def test_words_away_from_what_was_asked(answer: str, score: float) -> None:
    assert length_target({"words": 3}, answer) == score


@pytest.mark.parametrize(
    ("answer", "score"),
    [("Answer: 12", 1), (" Answer: 12\n", 1), ("Answer: 012", 1), ("Answer: 13", 0), ("12", 0), ("answer: 12", 0),
     ("Answer: 12.", 0), ("Answer:12", 0), ("Answer: 12 Answer: 13", 0), ("", 0), ("Answer: ١٢", 0),
     ("Answer: " + "9" * 9999, 0), ('"Answer: 12"', 0)],
)  # fmt: skip
def test_the_sum_and_its_form(answer: str, score: float) -> None:
    assert arithmetic({"sum": 12}, answer) == score


def test_negative_sums() -> None:
    assert arithmetic({"sum": -3}, "Answer: -3") == 1


def test_moods_in_their_order() -> None:
    found = [sentiment({}, text) for text in ("I love this wonderful day.", "It is a day.", "I hate this awful day.")]
    assert found == sorted(found, reverse=True) and found[0] > 0.5 and found[2] < -0.5
    assert found[1] == sentiment({}, "") == 0


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_rules._vader.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    with pytest.raises(ConfigError, match=r"pip install 'gptwright\[sentiment\]'"):
        sentiment({}, "a fine day")
