import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.documents import Document
from gptwright.text.split import MAX_SECTION, SECTION, assign_split, sections, uniform_hash

PROSE = "It was a bright cold day in April. The clocks were striking thirteen.\n\n" * 60


def of(text: str) -> list[str]:
    return [section.text for section in sections(Document(text, "book.txt", "Book"))]


@given(st.lists(st.text("ab.\n 。", min_size=1, max_size=40), max_size=20), st.integers(1, 400))
def test_sections_joined_are_the_text_and_none_is_far_too_long(parts: list[str], times: int) -> None:
    text = "".join(parts) * times
    cut = of(text)
    assert "".join(cut) == text
    assert all(len(part) <= 1.5 * SECTION for part in cut)


def test_a_book_is_cut_at_its_chapters() -> None:
    chapters = [f"CHAPTER {name}\n\n{PROSE}" for name in ("I", "II", "III", "IV")]
    contents = "EMMA\n\nCHAPTER I\n\nCHAPTER II\n\nCHAPTER III\n\nCHAPTER IV\n\n"
    cut = sections(Document(contents + "".join(chapters), "emma.txt", "Emma"))
    assert [s.text for s in cut] == [contents + chapters[0], *chapters[1:]]
    assert [s.title for s in cut] == ["Emma, 1", "Emma, CHAPTER II", "Emma, CHAPTER III", "Emma, CHAPTER IV"]
    assert {s.source for s in cut} == {"emma.txt"}


def test_chinese_chapters() -> None:
    chapters = [f"第{n}回 甄士隐梦幻识通灵\n" + "此开卷第一回也。作者自云。\n" * 400 for n in "一二三四"]
    assert of("".join(chapters)) == chapters


def test_a_chapter_that_is_too_long_is_cut_on() -> None:
    book = "".join(f"Chapter {n}\n\n{PROSE * 12}" for n in range(1, 4))
    cut = of(book)
    assert "".join(cut) == book
    assert max(map(len, cut)) <= MAX_SECTION
    assert sum(part.startswith("Chapter") for part in cut) == 3


def test_without_chapters_it_is_cut_at_paragraphs() -> None:
    cut = of(PROSE * 10)
    assert all(part.endswith("\n\n") for part in cut)
    assert all(SECTION <= len(part) < 1.5 * SECTION for part in cut[:-1])


def test_a_short_text_and_one_with_a_fixed_split_stay_whole() -> None:
    assert of("short") == ["short"]
    fixed = Document(PROSE * 10, "x", split="train")
    assert sections(fixed) == [fixed]


def test_the_sources_own_split_wins() -> None:
    assert assign_split(Document("a", "x", split="heldout"), 0.0, 1) == "heldout"
    assert assign_split(Document("a", "x", split="train"), 1.0, 1) == "train"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers())
def test_the_choice_is_monotone_in_the_share(text: str, seed: int) -> None:
    place = uniform_hash(text, seed)
    assert 0 <= place < 1
    assert assign_split(Document(text, "x"), place, seed) == "train"
    assert assign_split(Document(text, "y", "other title"), place + 1e-9, seed) == "heldout"


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_about_the_share_is_held_out_and_the_seed_chooses(share: float) -> None:
    texts = [f"text {i}" for i in range(4_000)]
    held = [{t for t in texts if assign_split(Document(t, "x"), share, seed) == "heldout"} for seed in (1, 2)]
    deviation = 5 * (share * (1 - share) / len(texts)) ** 0.5
    assert all(abs(len(side) / len(texts) - share) < deviation for side in held)
    assert held[0] != held[1]
