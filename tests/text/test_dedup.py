from gptwright.text.dedup import ExactDuplicates, LineDuplicates

NOTICE = "This notice stands at the foot of every page of the site."


def test_a_text_is_new_once_whatever_its_layout() -> None:
    seen = ExactDuplicates()
    assert [seen.is_new(t) for t in ("a b", "a\n b", "a c", "a b ")] == [True, False, True, False]
    assert seen.duplicates == 2


def test_a_long_line_goes_from_the_fourth_document_on() -> None:
    lines = LineDuplicates()
    cleaned = [lines.clean(f"Text number {i}.\n{NOTICE}") for i in range(5)]
    assert [NOTICE in text for text in cleaned] == [True, True, True, False, False]
    assert cleaned[4] == "Text number 4."
    assert lines.dropped == 2


def test_a_line_counts_once_a_document_and_short_lines_never() -> None:
    lines = LineDuplicates()
    assert lines.clean("\n".join([NOTICE] * 9)).count(NOTICE) == 9
    assert lines.clean(NOTICE) == NOTICE
    assert all(lines.clean("Amen.") == "Amen." for _ in range(9))
    assert lines.dropped == 0
