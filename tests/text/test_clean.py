import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.clean import drop_boilerplate, normalise, texts_between_separators

MESSY = st.text(st.one_of(st.characters(), st.sampled_from(" \n\r\t\x00\x0b\x85\u200b\ufeff\u3000\u00a0\u0301e\ud800")))


@given(MESSY)
def test_normalise_is_idempotent_and_leaves_plain_text(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    once.encode()
    assert not set(once) & set("\r\x00\x0b\x85\ufeff")
    assert "\n\n\n\n" not in once and " \n" not in once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("cafe\u0301", "café"),
        ("\ufeffa\u200bb\x07c\x00", "abc"),
        ("a \t\nb\u3000\n", "a\nb"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("  indented\n    more", "  indented\n    more"),
        ("a hard-\nwrapped line\nof prose", "a hard-\nwrapped line\nof prose"),
        ("\ud800x", "\ufffdx"),
        ("ខ្ញុំ\u200bសោក\u200b\u200bណាស់\u200b\n", "ខ្ញុំ\u200bសោក\u200bណាស់"),
        ("ไทย\u200bคำ \u200bword\u200b, ລາວ\u200b1", "ไทย\u200bคำ word, ລາວ\u200b1"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_normalise(before: str, after: str) -> None:
    assert normalise(before) == after


@given(st.text("abc #*\n-1234567890" + "Page", max_size=300))
def test_drop_boilerplate_is_idempotent(text: str) -> None:
    assert drop_boilerplate(drop_boilerplate(text)) == drop_boilerplate(text)


BODY = "\n\n".join(f"Paragraph {i} of the story, with some words in it." for i in range(60))


def test_gutenbergs_wrapping_goes_and_the_story_stays() -> None:
    book = (
        "The Project Gutenberg EBook of Emma, by Jane Austen\n\nThis eBook is for the use of anyone anywhere\n\n"
        "*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***\n\n\nProduced by An Anonymous Volunteer\nand others\n\n\n"
        f"EMMA\n\n{BODY}\n\nEnd of the Project Gutenberg EBook of Emma, by Jane Austen\n\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK EMMA ***\n\nSection 1. General Terms of Use"
    )
    assert drop_boilerplate(book) == f"EMMA\n\n{BODY}"


def test_a_text_about_gutenberg_stays_whole() -> None:
    text = f"Project Gutenberg was founded in 1971.\n\n{BODY}\n\nProduced by hand, it was slow."
    assert drop_boilerplate(text) == text


@pytest.mark.parametrize(
    "line",
    ["Skip to content", "Jump to navigation", "Accept all cookies", "We use cookies to improve this site.", "[Pg 12]",
     "Page 3 of 10", "Back to top", "Share on Facebook"],
)  # fmt: skip
def test_web_and_page_furniture_goes(line: str) -> None:
    assert drop_boilerplate(f"One.\n{line}\nTwo.") == "One.\nTwo."


@pytest.mark.parametrize(
    "line",
    ["Skip to content with your life", "Page 3 was torn", "1815", "IV", "- 12 - dozen", "- 12 -", "— 3 —", "Page 3"],
)
def test_prose_is_not_taken_for_furniture(line: str) -> None:
    assert drop_boilerplate(f"One.\n{line}\nTwo.") == f"One.\n{line}\nTwo."


def numbered(lines_apart: int, mark: str = "{}", line: str = "some prose") -> str:
    return "\n".join(f"{mark.format(n)}\n" + "\n".join([line] * (lines_apart - 1)) for n in range(1, 9))


@pytest.mark.parametrize("mark", ["{}", "- {} -", "– {} –", "Page {}", "  {}  "])
def test_numbers_go_only_at_the_distance_of_pages(mark: str) -> None:
    assert drop_boilerplate(numbered(35, mark)) == "\n".join(["some prose"] * 34 * 8)
    for apart in (14, 300):
        assert drop_boilerplate(numbered(apart, mark)) == numbered(apart, mark).strip("\n")


@pytest.mark.parametrize("mark", ["{}", "— {} —", "Page {}"])
@pytest.mark.parametrize("line", ["A sentence of the story.", "「そうですか。」", "“So it is!”", "he went\nAnd so on;"])
def test_numbers_between_whole_sentences_are_those_of_chapters(mark: str, line: str) -> None:
    text = numbered(30, mark, line)
    assert drop_boilerplate(text) == text


def test_page_numbers_between_blank_lines_inside_of_sentences() -> None:
    pages = [f"It began\n\n{n}\n\nand went on.\n" + "More of it was told here.\n" * 30 for n in range(11, 19)]
    assert not [line for line in drop_boilerplate("".join(pages)).split("\n") if line.isdigit()]


@pytest.mark.parametrize("sign", ["<|endoftext|>", "<|end_of_text|>", "<eos>", "[EOS]", "</s>"])
def test_signs_between_texts_part_them(sign: str) -> None:
    assert texts_between_separators(f"One.\n{sign}\nTwo.\n\n {sign}\n") == ["One.", "Two."]


def test_signs_at_an_end_part_and_signs_in_a_sentence_do_not() -> None:
    assert texts_between_separators("One.<|endoftext|>Two\n<|endoftext|>Three<|endoftext|>") == ["One.", "Two", "Three"]
    for text in ("GPT-2 ends with <|endoftext|> and so on.", "`</s>`", "<s>\nstruck\n</s>", "", "<p>"):
        assert texts_between_separators(text) == [text]


def test_what_can_be_printed_is_left_as_it_is_but_for_its_form() -> None:
    printable = "".join(sign for sign in map(chr, range(sys.maxunicode + 1)) if sign.isprintable())
    assert normalise(printable).strip() == unicodedata.normalize("NFC", printable).strip()
    unseen = "".join(
        sign for sign in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs")
    )
    assert set(normalise(f"a{unseen}b")) <= {"a", "b", "\t", "\n", "\ufffd"}
