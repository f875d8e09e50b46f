import pytest

from gptwright.text.dedup import ExactDuplicates, LineDuplicates

NOTICE = "This notice stands at the foot of every page of the site."


def own(number: int) -> str:
    return f"Text number {number} tells of a town and of its people, {number} of them."


def test_a_text_is_new_once_whatever_its_layout() -> None:
    seen = ExactDuplicates()
    assert [seen.is_new(t) for t in ("a b", "a\n b", "a c", "a b ")] == [True, False, True, False]
    assert seen.duplicates == 2


def test_a_long_line_goes_from_the_fourth_document_on() -> None:
    lines = LineDuplicates()
    cleaned = [lines.clean(f"{own(i)}\n{NOTICE}") for i in range(5)]
    assert [NOTICE in text for text in cleaned] == [True, True, True, False, False]
    assert cleaned[4] == own(4)
    assert lines.dropped == 2


def test_a_line_counts_once_a_document_and_short_lines_never() -> None:
    lines = LineDuplicates()
    assert lines.clean("\n".join([NOTICE] * 9)).count(NOTICE) == 9
    assert lines.clean(NOTICE) == NOTICE
    assert all(lines.clean("Amen.") == "Amen." for _ in range(9))
    assert lines.dropped == 0


PYTHON = '''def average_of_all_the_given_values(values, weights=None):
    """Return the average of the values that were given to the function."""
    weights = weights or [1.0 for each_value in values if each_value is not None]
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / {}
'''
C = """#include <stdio.h>
/* This program is free software; you can redistribute it and change it. */
int main(int argument_count, char *argument_values[])
{{
  return EXIT_SUCCESS_OF_THE_PROGRAM_THAT_WE_WROTE + {};
}}"""
SQL = """SELECT customer_name, customer_city FROM customers
WHERE customer_city IS NOT NULL AND active IS TRUE
LIMIT {};"""
RECORD = """name: A record of the archive of the town by the river
place: The second room of the town's old archive
number: {}"""


@pytest.mark.parametrize("code", [PYTHON, C, SQL, RECORD])
def test_programs_and_records_keep_the_lines_they_share(code: str) -> None:
    lines = LineDuplicates()
    texts = [code.format(i) for i in range(40)]
    assert [lines.clean(text) for text in texts] == texts
    assert lines.dropped == 0


def test_a_line_that_may_be_code_counts_and_stays() -> None:
    """The same words stand indented, as code does, and not: they go where they are prose."""
    lines = LineDuplicates()
    assert all(f"    {NOTICE}" in lines.clean(f"{own(i)}\n    {NOTICE}") for i in range(9))
    assert lines.clean(f"{own(9)}\n{NOTICE}") == own(9)
    assert lines.dropped == 1


def test_what_is_made_of_shared_lines_stays_whole() -> None:
    lines = LineDuplicates()
    refrain = "\n".join(f"The river runs along the stones, verse {k} of them all" for k in "abcdef")
    texts = [f"Song {i}\n{refrain}" for i in range(9)]
    assert [lines.clean(text) for text in texts] == texts


def test_a_menu_goes_as_a_notice_does() -> None:
    lines = LineDuplicates()
    menu = "Home | About us | Contact | Terms and conditions | Help"
    assert [menu in lines.clean(f"{menu}\n{own(i)}") for i in range(5)] == [True, True, True, False, False]
