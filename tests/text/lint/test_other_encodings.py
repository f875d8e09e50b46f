"""Chinese, Japanese, Korean and Russian that were read wrongly are found, and right text of any language is not."""

import pytest

from gptwright.text.bundled import bundled_texts
from gptwright.text.lint.other_encodings import LOST, other_encodings
from gptwright.text.read import read_file

CHINESE = ["中国人民", "人工智能，机器学习。", "你好世界欢迎光临", "今天天气很好，我们去公园。"]
KOREAN, JAPANESE = "안녕하세요 세계", "こんにちは世界"
RUSSIAN = ["Привет, мир", "Тихий Дон", "мельница", "На берегу реки"]
RIGHT = [
    "Der Müller aß süße Brötchen für 5 €.", "L’été à l’Île, « déjà vu » – dit-il…", "Тихий Дон и мельница",
    "人工智能的历史", "联通", "한국어 문장", "日本語の文字、「括弧」", "Ελληνικά", "ÀÉÎÕÜ ß Ñandú", "ÄÖÜäöüß",
    "éééééééé",
    "ÀÁÂÃÄÅÆÇÈÉÊË", "ŠŽČŘ", "Þórr á Ísland", "Łódź, žluťoučký kůň", "5 × 3 ÷ 2 ± 1", "naïve café, 20 °C, ½ £",
    "What?? Why???", "a ?? b ?? c", "???", "x = y ?? z; a ?? b", "=C3 and 2=A9", "x=E1", "نص عربي", "ข้อความไทย",
    "“Oui” »", "‚so‘ und ‚so‘", "ƒ(x) = ƒ(y)", "🙂🙃🙂🙃🙂", "烫烫的水", "ÐÑ", "¡¿Qué?!", "²³¹½¼¾", "«»«»«»",
    "tiếng Việt",
]  # fmt: skip


def shown(text: str) -> str:
    return "".join(what.split(" for ")[1] for _, what in other_encodings(text))


@pytest.mark.parametrize("text", CHINESE)
def test_chinese_through_gbk_and_gbk_through_latin_1(text: str) -> None:
    assert shown(text.encode("gbk").decode("latin-1"))[:2] == text[:2]
    through_gbk = text.encode().decode("gbk", "replace")
    assert LOST.search(through_gbk) or shown(f"before {through_gbk} behind")[:2] == text[:2]


@pytest.mark.parametrize("text", RUSSIAN)
def test_russian_through_latin_1(text: str) -> None:
    words = [word for word in text.replace(",", "").split() if len(word) > 3]
    for encoding in ("cp1251", "koi8_r"):
        found = shown(f"before {text.encode(encoding).decode('latin-1')}, {text.encode(encoding).decode('latin-1')}")
        assert found.casefold().startswith(words[0].casefold()) or (encoding == "koi8_r" and len(found) >= 6)


def test_korean_and_japanese() -> None:
    assert shown(KOREAN.encode("euc_kr").decode("latin-1")).startswith("안녕하세요"[:4])
    assert shown(JAPANESE.encode("shift_jis").decode("cp1252", "ignore")).startswith("こん")


def test_letters_of_mail_and_what_was_asked_away() -> None:
    assert shown("caf=C3=A9 f=C3=BCr") == "éü"
    assert [what for _, what in other_encodings("?????? ?? ??????? ????, 5")] == ["signs that were lost: ?"]


@pytest.mark.parametrize("text", ["caf\ufffd", "锟斤拷锟斤拷", "烫烫烫烫烫", "屯屯屯屯"])
def test_signs_that_were_lost(text: str) -> None:
    assert LOST.search(text)


@pytest.mark.parametrize("text", RIGHT)
def test_right_text_is_left_alone(text: str) -> None:
    assert list(other_encodings(text)) == [] and not LOST.search(text)


def test_rare_characters_of_verse_are_right() -> None:
    (path,) = bundled_texts("bundled:verse")
    assert [found for document in read_file(path) for found in other_encodings(document.text)] == []
