"""Spoiled text is found in every language, and honest text is left alone."""

import pytest

from gptwright.text.lint.mojibake import mojibake

HONEST = ["Der Müller aß süße Brötchen für 5 €.", "L’été à l’Île, « déjà vu » – dit-il…", "AMANHÃ” e NÃO “Ê”",
          "Тихий Дон и мельница", "人工智能的历史", "한국어 문장", "ÀÉÎÕÜ ß Ñandú", "naïve café, 20 °C, ½ £", "ÐÑ",
          "Ελληνικά", "“Ð”", "Â", "Ã", "5 × 3 ÷ 2 ± 1"]  # fmt: skip
WORDS = ["café", "Müller", "für", "“quoted”", "it’s", "5 €", "人工智能", "мельница", "naïve – yes", "🙂"]


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_has_none(text: str) -> None:
    assert list(mojibake(text)) == []


@pytest.mark.parametrize("word", WORDS)
def test_what_was_read_as_windows_1252_is_found_with_what_it_was(word: str) -> None:
    spoiled = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in word.encode())
    found = list(mojibake(f"before {spoiled} behind"))
    strange = [sign for sign in word if not sign.isascii()]
    assert found and "".join(shown.split(" for ")[1] for _, shown in found) == "".join(strange)
    assert found[0][0] >= len("before ")


def test_signs_that_were_lost() -> None:
    assert list(mojibake("caf\ufffd and \ufffd\ufffd")) == [(3, "a sign that was lost"), (9, "a sign that was lost")]
