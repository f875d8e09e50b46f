"""Spoiled text is found and mended, whatever read it wrongly; what is right in any language stays as it is."""

import pytest
from ftfy.badness import BADNESS_RE

from gptwright.text.bundled import TEXTS
from gptwright.text.find import resolve
from gptwright.text.mojibake import Misread, has_code_page_signs, mended, misread
from gptwright.text.read import read_file

RIGHT = [
    "Der Müller aß süße Brötchen für 5 €.", "L’été à l’Île, « déjà vu » – dit-il…", "Тихий Дон и мельница",
    "人工智能的历史", "한국어 문장", "日本語の文字、「括弧」", "Ελληνικά", "नमस्ते", "السلام عليكم", "ÀÉÎÕÜ ß Ñandú",
    "naïve café, 20 °C, ½ £", "5 × 3 ÷ 2 ± 1", "L’été, où ça ? Ã est une lettre.", "SÃO PAULO", "5 € – 10 £",
    "“Oui” »", "ﬁne", "Þórr á Ísland", "Łódź, žluťoučký kůň", "caf\ufffd",
]  # fmt: skip
BY_CHANCE = ["AMANHÃ” e NÃO “Ê”", "ÐÑ", "“Ð”", "Â", "Ã", "Â la bonne heure", "Â ce soir, Â demain"]
WORDS = ["café", "Müller", "für", "“quoted”", "it’s", "5 €", "人工智能", "мельница", "naïve – yes", "🙂", "ESTADÍSTICA"]


@pytest.mark.parametrize("text", RIGHT + BY_CHANCE)
def test_right_text_stays_as_it_is(text: str) -> None:
    assert mended(text) == (text, 0) and list(misread(text)) == []


def test_the_bundled_text_is_right() -> None:
    for name in TEXTS:
        for path in resolve([f"bundled:{name}"]):
            assert all(mended(document.text) == (document.text, 0) for document in read_file(path))


def wrongly(text: str, encoding: str) -> str:
    """UTF-8 read byte by byte; what windows-1252 has no sign for is read as Latin-1, as browsers do."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("encoding", ["windows-1252", "latin-1"])
@pytest.mark.parametrize("word", WORDS)
def test_what_was_read_as_windows_1252_or_latin_1_is_found_and_mended(word: str, encoding: str) -> None:
    spoiled = wrongly(word, encoding)
    text = f"right é\nbefore {spoiled} behind"
    assert mended(text) == (f"right é\nbefore {word} behind", 1)
    found = list(misread(text))
    assert "".join(each.was for each in found) == "".join(sign for sign in word if not sign.isascii())
    assert all(text[each.place :].startswith(each.signs) for each in found)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("windows-1251", "Тихий Дон и мельница"),
        ("windows-1251", "“quoted” – yes"),
        ("windows-1250", "Příliš žluťoučký kůň"),
        ("iso-8859-2", "Łódź i “cytat”"),
        ("mac-roman", "“naïve” — où déjà"),
        ("cp437", "мельница"),
    ],
)
def test_of_other_encodings_what_is_long_enough_to_tell(encoding: str, text: str) -> None:
    spoiled = text.encode().decode(encoding, "replace")
    assert mended(spoiled)[0].replace("\ufffd", "")[:5] == text[:5]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("cafÃ© â€” â€œnaÃ¯veâ€\x9d", "café — “naïve”"),
        ("GrÃ¼ÃŸe aus KÃ¶ln", "Grüße aus Köln"),
        ("Ã\xa0 la carte oÃ¹ dÃ©jÃ\xa0", "à la carte où déjà"),
        ("AMANHÃ” e cafÃ©", "AMANHÔ e café"),
        ("CafÃƒÂ©", "Café"),
    ],
)
def test_a_line_is_mended_whole_and_twice_where_it_was_spoiled_twice(wrong: str, right: str) -> None:
    assert mended(f"right\n{wrong}\nright é") == (f"right\n{right}\nright é", 1)


def test_each_run_is_told_where_it_stands() -> None:
    assert list(misread("é\nein cafÃ©, 5 Ã— 3")) == [Misread(9, "Ã©", "é"), Misread(15, "Ã—", "×")]


@pytest.mark.parametrize("text", ["人工智能，机器学习。", "中国人民"])
def test_chinese_through_gbk_is_left_and_not_made_worse(text: str) -> None:
    for spoiled in (text.encode("gbk").decode("latin-1"), text.encode().decode("gbk", "replace")):
        assert mended(spoiled) == (spoiled, 0)


def test_nothing_is_bad_for_ftfy_without_a_sign_of_a_code_page() -> None:
    signs = {sign for sign in BADNESS_RE.pattern if not sign.isascii()}
    assert {sign for sign in signs if not has_code_page_signs(sign)} == set()
    assert not has_code_page_signs("春眠不觉晓，处处闻啼鸟。한국어") and not has_code_page_signs("plain")
