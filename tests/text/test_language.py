import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.text import language
from gptwright.text.language import SAMPLE, UNSURE, language_of, refuse_unknown


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "It was a bright cold day in April, and the clocks were striking thirteen."),
        ("fr", "Il faisait froid ce matin-là, et personne ne voulait sortir de la maison."),
        ("de", "An diesem Morgen war es kalt, und niemand wollte das Haus verlassen."),
        ("zh", "今天早上很冷，没有人愿意走出家门。"),
        ("ja", "今朝はとても寒くて、誰も家から出たがらなかった。"),
        ("ru", "Утром было холодно, и никто не хотел выходить из дома."),
    ],
)
def test_the_language_of_a_text_over_several_lines(code: str, text: str) -> None:
    assert language_of(f"{text}\n\n{text}\n") == code


def test_numbers_are_in_no_language_and_the_beginning_decides() -> None:
    assert language_of("12 34 56\n78") == UNSURE
    assert language_of("") == UNSURE
    english = "Nobody in the village slept before the morning came. " * 40
    assert language_of(english[:SAMPLE] + "没有人愿意走出家门。" * 5_000) == "en"


def test_halves_of_letters_are_no_hindrance() -> None:
    assert language_of("The river rose in the night \ufffd and nobody slept.") == "en"


def test_a_code_that_is_none_is_refused() -> None:
    refuse_unknown(("en", "zh", "ceb"))
    with pytest.raises(ConfigError, match=r"'english'(.|\n)*Known: af, als"):
        refuse_unknown(("en", "english"))


def test_without_the_model_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    language._model.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ConfigError, match=r"gptwright\[corpus\]"):
        language_of("text")
    language._model.cache_clear()  # pyright: ignore[reportPrivateUsage]
