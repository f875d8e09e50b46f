from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.filters.signals import Signals


def test_by_hand() -> None:
    text = "The cat and the dog: #1, 22 and... that\nis so!"
    found = Signals(text)
    words = ["The", "cat", "and", "the", "dog", ":", "#", "1", ",", "22", "and", "...", "that", "is", "so", "!"]
    signs = [":", "#", ",", "...", "!"]
    assert found["characters"] == len(text)
    assert found["words"] == len(words) - len(signs)
    assert found["hashes_per_word"] == 1 / len(words) and found["ellipses_per_word"] == 1 / len(words)
    assert found["newlines_per_word"] == 1 / len(words)
    assert found["words_with_letters"] == 9 / len(words)
    assert found["stop_words"] == 3


@given(st.text(max_size=200))
def test_every_text_has_every_signal(text: str) -> None:
    found = Signals(text)
    assert len(dict(found)) == len(found) == len(dict(Signals("")))
    assert all(value >= 0 for value in found.values())
