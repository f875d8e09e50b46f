from gptwright.text.filters.lines import line_signals


def test_by_hand() -> None:
    text = "- one\n• two and some words that make a long line\nAn end.\n\nAn end.\nand so on..."
    found = line_signals(text)
    assert found["bullet_lines"] == 2 / 6 and found["ellipsis_lines"] == 1 / 6
    assert found["terminal_lines"] == 3 / 5 and found["short_lines"] == 4 / 5
    assert found["duplicate_lines"] == 1 / 5
    assert found["duplicate_line_characters"] == len("An end.") / len(text.replace("\n", ""))
    assert found["duplicate_paragraphs"] == found["duplicate_paragraph_characters"] == 0


def test_paragraphs_that_were_there_before() -> None:
    text = "a b\nc\n\na b\nc\n\nd"
    found = line_signals(text)
    assert found["duplicate_paragraphs"] == 1 / 3
    assert found["duplicate_paragraph_characters"] == len("a b\nc") / len(text)


def test_nothing_has_all_signals_too() -> None:
    assert set(line_signals("").values()) == {0.0} and line_signals("").keys() == line_signals("a").keys()
