import pytest

from gptwright.text.html import read_page


def test_blocks_stand_on_lines_of_their_own_and_furniture_is_gone() -> None:
    page = read_page(
        "<!doctype html><html><head><title> A  page </title><style>p {}</style></head><body>"
        "<nav>Home</nav><header>Top</header><h1>One</h1><p>Some <b>bold</b>,\n <a href=x>linked</a> text.<br>Next"
        "<ul><li>a<li>b</ul><script>x()</script>tail &amp; end<footer>Bottom</footer></body></html>"
    )
    assert page.title == "A page"
    assert page.text.split("\n") == ["One", "Some bold, linked text.", "Next", "a", "b", "tail & end"]


def test_preformatted_text_keeps_its_lines() -> None:
    assert read_page("<p>See</p><pre>\nif x:\n    y\n</pre>").text == "See\nif x:\n    y"


def test_the_main_part_is_preferred() -> None:
    assert read_page("<div>menu</div><main><p>text</p></main><div>more</div>").text == "text"


def test_deep_nesting_and_an_empty_page() -> None:
    assert read_page("<div>" * 2_000 + "deep").text == "deep"
    assert read_page("").text == ""
    assert read_page("").title == ""


@pytest.mark.parametrize(
    "tag",
    ["ruby", "rb", "acronym", "nobr", "blink", "output", "slot", "math", "o:p", "st1:place", "my-element", "progress",
     "dfn", "bdi", "picture", "meter", "center-piece"],
)  # fmt: skip
def test_what_is_no_block_is_part_of_a_sentence(tag: str) -> None:
    assert read_page(f"<p>before <{tag}>word</{tag}>, after</p>").text == "before word, after"


@pytest.mark.parametrize(
    "tag",
    ["div", "section", "figcaption", "dt", "blockquote", "h6", "summary", "legend", "address", "details", "hgroup"],
)
def test_blocks_end_a_line(tag: str) -> None:
    assert read_page(f"<div>before <{tag}>word</{tag}> after</div>").text == "before\nword\nafter"


@pytest.mark.parametrize(
    ("ruby", "text"),
    [
        ("漢<rp>(</rp><rt>kan</rt><rp>)</rp>字<rp>(</rp><rt>ji</rt><rp>)</rp>", "漢(kan)字(ji)"),
        ("<rb>私</rb><rp>（</rp><rt>わたくし</rt><rp>）</rp>", "私（わたくし）"),
        ("漢字<rt>kanji", "漢字(kanji)"),
    ],
)
def test_the_reading_of_a_sign_stands_in_brackets_behind_it(ruby: str, text: str) -> None:
    assert read_page(f"<p>Read <ruby>{ruby}</ruby> so.</p>").text == f"Read {text} so."


def test_only_the_pages_own_header_and_footer_are_furniture_and_they_are_counted() -> None:
    page = read_page(
        "<body><header>Menu Home</header><article><header><h1>Head</h1><p>Lead.</p></header><p>Body.</p>"
        "<footer>By a writer</footer></article><footer>Imprint<script>var unseen</script></footer></body>"
    )
    assert page.text.split("\n") == ["Head", "Lead.", "Body.", "By a writer"]
    assert page.left_out == len("Menu Home") + len("Imprint")


def test_what_stands_outside_of_the_main_part_is_counted() -> None:
    page = read_page("<div>menu</div><main><header><h1>Head</h1></header>text<nav>here</nav></main><div>more</div>")
    assert (page.text, page.left_out) == ("Head\ntext", len("menu" + "more" + "here"))
    assert read_page("<p>All <b>of</b> it</p><script>x</script>").left_out == 0
    assert read_page("<nav>Menu<script>x</script></nav><p>text</p>").left_out == len("Menu")


def test_spaces_around_inline_elements_stay_and_those_around_blocks_go() -> None:
    page = read_page("<p>\n\u00a0 <b>one</b> <i> two</i>\u00a0<b> </b>three \n</p> \n<p> </p>")
    assert page.text == "one two\u00a0 three"


@pytest.mark.parametrize(
    "mark",
    ['role="navigation"', 'class="site-nav"', 'id="sidebar"', 'class="sphinxsidebar"', 'class="post related-posts"',
     'class="breadcrumbs"', 'id="CookieBanner"', 'class="mw-editsection"', 'class="share"', 'class="ad"'],
)  # fmt: skip
def test_what_pages_call_furniture_is_left_out_and_counted(mark: str) -> None:
    page = read_page(f"<body><div {mark}>Home and so on</div><p>{'The text of the page. ' * 9}</p></body>")
    assert page.text == ("The text of the page. " * 9).strip()
    assert page.left_out == len("Home and so on")


@pytest.mark.parametrize(
    "mark", ['class="footnote"', 'id="adverb"', 'class="canvas"', 'class="shared-state"', 'id="x"']
)
def test_names_that_only_look_so_are_none(mark: str) -> None:
    assert read_page(f"<body><div {mark}>A note.</div><p>{'text ' * 20}</p></body>").text.startswith("A note.")


def test_a_name_does_not_take_a_large_part_of_the_page_but_a_role_may() -> None:
    assert read_page("<div class='has-sidebar'><p>The text of it all.</p></div>").text == "The text of it all."
    nested = "<div class=nav>" * 40 + "<p>The text of it all.</p>"
    assert read_page(nested).text == "The text of it all."
    assert read_page("<div role=navigation>Here and there and home</div><p>text").text == "text"


def test_what_is_not_shown_is_not_read_and_signs_of_links_to_themselves_go() -> None:
    page = read_page("<p hidden>no</p><div style='color: red; DISPLAY:none'>no</div><h1>Head<a href=#h>¶</a></h1>yes")
    assert (page.text, page.left_out) == ("Head\nyes", 0)


def test_a_main_part_may_be_one_by_its_role() -> None:
    assert read_page("<div>menu</div><div role=main class=navigation>text</div>").text == "text"
