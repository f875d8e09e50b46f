"""English or not."""

import pytest

from gptwright.text.english import looks_english


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("It was a bright cold day in April, and the clocks were striking thirteen.", True),
        ("a traveller who was well furnished with money", True),
        ("Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem Bett.", False),
        (
            "En un lugar de la Mancha, de cuyo nombre no quiero acordarme.",
            False,
        ),
        ("吾輩は猫である。名前はまだ無い。", False),
        ("Мой дядя самых честных правил", False),
        ("", False),
    ],
)
def test_a_language_is_told_by_its_commonest_words(text: str, english: bool) -> None:
    assert looks_english(text) is english
