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
