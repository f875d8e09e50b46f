import pytest

from gptwright.text.frontmatter import MAX_LINES, without_front_matter


@pytest.mark.parametrize(
    "fields",
    [
        "title: x\n",
        "title: x\r\ndate: 2020-01-02\r\n",
        "title: 'A: b'\ntags:\n  - one\n  - two\n# a note\n\nauthor: y\n",
        "tags:\n- one\n- two: three\n",
        "description: >\n  folded\n  text\nlist: [\n  a\n]\n",
        '"quoted key": 1\n',
    ],
)
@pytest.mark.parametrize("end", ["---", "..."])
def test_fields_between_rules_go(fields: str, end: str) -> None:
    assert without_front_matter(f"---\n{fields}{end}\n# Head\n---\nMore.") == "# Head\n---\nMore."


@pytest.mark.parametrize(
    "page",
    [
        "---\nJust a rule.\n---\nMore.",
        "---\nNote: found in the house.\n\nThe door was open, and nobody was there.\n\n---\n\nMore.",
        "---\nNote: found in the house.\n\n---\nMore.",
        "---\n\ntitle: x\n---\nMore.",
        "---\ntitle: x\nMore, and no second rule.",
        "---\n---\nMore.",
        "----\ntitle: x\n---\n",
        "# Head\n---\ntitle: x\n---\n",
        "---\n" + "a: b\n" * MAX_LINES + "---\n",
        "",
        "---",
    ],
)
def test_a_page_divided_by_rules_stays_whole(page: str) -> None:
    assert without_front_matter(page) == page


def test_many_fields_and_no_end_take_no_time() -> None:
    page = "---\na: b\n" + "- c: d\n" * 100_000
    assert without_front_matter(page) == page
