import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from gptwright.text import page_bounds
from gptwright.text.html import read_page
from gptwright.text.page_bounds import DEPTH, bounded, most_open


def deepest(html: str) -> int:
    """The most elements in one another that the parser builds."""
    deepest, waiting = 0, [(LexborHTMLParser(html).root, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in node.iter()] if node is not None else []
    return deepest


def test_a_page_of_any_usual_kind_stays_as_it_is() -> None:
    page = "<div class=a><ul>" + "<li>one <b>bold</b> <i>word<br>and</i> <p>a paragraph" * 2_000 + "</ul></div>"
    assert bounded(page) == page
    svg = "<svg>" + "<path d='M0 0'/>" * 3_000 + "</svg><p>text"
    assert bounded(svg) == svg
    assert bounded("<div>" * 400 + "x") == "<div>" * 400 + "x"


@pytest.mark.parametrize("tag", ["div", "span", "table", "DIV class='a b'", "b", "section"])
def test_what_nests_without_end_is_flat_below_a_depth_and_loses_no_text(tag: str) -> None:
    page = "".join(f"<{tag}>w{i} " for i in range(5_000)) + "</div>" * 100 + "<p>end"
    assert deepest(bounded(page)) <= DEPTH + 10
    words = read_page(page).text.split()
    assert [word for word in words if word.startswith("w")] == [f"w{i}" for i in range(5_000)] and words[-1] == "end"


def test_inline_elements_that_each_paragraph_would_open_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "<p>".join(f"<b a={i}>w{i} " for i in range(5_000))
    assert len(LexborHTMLParser(bounded(page)).css("b")) < 10
    assert read_page(page).text.split() == [f"w{i}" for i in range(5_000)]
    monkeypatch.setattr(page_bounds, "MOST", 5)  # a small page that is over it
    assert bounded("<p>one <b>two<p>three <i>four") == "<p>one two<p>three four"


def test_closing_tags_of_nothing_hide_no_depth() -> None:
    page = "</i></b><div></x>" * 5_000 + "end"
    assert deepest(bounded(page)) <= DEPTH + 10
    assert read_page(page).text == "end"


TAGS = ("<div>", "</div>", "<b>", "</b>", "<ul>", "</ul>", "<li>", "<p>", "</p>", "<br>", "</x>", "<i/>", "word")


@given(st.lists(st.sampled_from(TAGS)))
def test_no_more_elements_are_open_than_are_counted(tags: list[str]) -> None:
    page = "".join(tags)
    around = deepest("<div>") - 1
    closed_by_others = sum(page.count(f"<{name}>") for name in ("p", "li", "br"))
    assert deepest(page) - around - closed_by_others <= most_open(page)


def test_a_long_tag_is_cut_wherever_it_begins() -> None:
    for begin in (0, 1, page_bounds.LONG // 2 - 1, page_bounds.LONG // 2, page_bounds.LONG):
        page = "x" * begin + "<p " + "a" * page_bounds.LONG + ">text"
        assert len(bounded(page)) == begin + page_bounds.LONG + len(">text")


def test_a_tag_with_attributes_without_end_is_cut() -> None:
    page = "<p " + " ".join(f"a{i}" for i in range(100_000)) + ">text</p><p>more"
    assert len(bounded(page)) < 2 * page_bounds.LONG
    assert read_page(page).text == "text\nmore"
