import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.clean import drop_boilerplate, normalise

MESSY = st.text(st.one_of(st.characters(), st.sampled_from(" \n\r\t\x00\x0b\x85\u200b\ufeff\u3000\u00a0\u0301e\ud800")))


@given(MESSY)
def test_normalise_is_idempotent_and_leaves_plain_text(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    once.encode()
    assert not set(once) & set("\r\x00\x0b\x85\u200b\ufeff")
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
     "Page 3 of 10", "- 12 -", "Back to top", "Share on Facebook"],
)  # fmt: skip
def test_web_and_page_furniture_goes(line: str) -> None:
    assert drop_boilerplate(f"One.\n{line}\nTwo.") == "One.\nTwo."


@pytest.mark.parametrize("line", ["Skip to content with your life", "Page 3 was torn", "1815", "IV", "- 12 - dozen"])
def test_prose_is_not_taken_for_furniture(line: str) -> None:
    assert drop_boilerplate(f"One.\n{line}\nTwo.") == f"One.\n{line}\nTwo."


def numbered(lines_apart: int) -> str:
    return "\n".join(f"{n}\n" + "\n".join(["some prose"] * (lines_apart - 1)) for n in range(1, 9))


def test_bare_numbers_go_only_at_the_distance_of_pages() -> None:
    assert drop_boilerplate(numbered(35)) == "\n".join(["some prose"] * 34 * 8)
    assert drop_boilerplate(numbered(14)) == numbered(14)
    assert drop_boilerplate(numbered(300)) == numbered(300)
