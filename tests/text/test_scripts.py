import pytest

from gptwright.text.scripts import NONE, figures_by_script, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("The door was open.", "latin"),
        ("\u00c9t\u00e9 \u00e0 la mer", "latin"),
        ("\u6253\u5f00\u6216\u5173\u95ed PDF \u6587\u4ef6", "cjk"),
        ("\u3053\u308c\u306f\u3072\u3089\u304c\u306a", "hiragana"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442, world", "cyrillic"),
        ("\ud55c\uad6d\uc5b4", "hangul"),
        ("12, 34!", NONE),
        ("", NONE),
    ],
)
def test_the_script_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


def test_the_figures_of_each_script_are_sums_and_the_most_tokens_come_first() -> None:
    texts = ["abcd", "\u6c34\u6c34\u6c34", "efghij", "7"]
    found = figures_by_script(texts, [2, 6, 3, 1])
    assert list(found) == ["cjk", "latin", "none"]
    assert found["latin"].as_dict() == {"tokens": 5, "characters_per_token": 2.0, "bytes_per_token": 2.0}
    assert found["cjk"].as_dict() == {"tokens": 6, "characters_per_token": 0.5, "bytes_per_token": 1.5}


def test_an_empty_text_has_no_tokens() -> None:
    assert figures_by_script([""], [0])[NONE].as_dict() == {
        "tokens": 0, "characters_per_token": 0.0, "bytes_per_token": 0.0,
    }  # fmt: skip


def test_a_figure_for_every_text() -> None:
    with pytest.raises(ValueError, match="shorter"):
        figures_by_script(["a", "b"], [1])
