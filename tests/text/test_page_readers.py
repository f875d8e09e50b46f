import pytest

from gptwright.configs.prepare import HTML_READERS
from gptwright.foundations.errors import ConfigError
from gptwright.text import page_readers
from gptwright.text.page_readers import READERS, read_by

SENTENCE = "The river rose in the night, and nobody in the village slept before the morning came. "
PAGE = (
    "<title>A river</title><body><div class=nav><a href=/>Home</a> <a href=/x>News</a></div><article>"
    f"<h1>A river</h1><p>{SENTENCE * 4}</p><p>{SENTENCE * 3}</p></article><footer>Imprint</footer></body>"
)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_finds_the_text_and_what_it_left_out(reader: str) -> None:
    page = read_by(reader, PAGE)
    assert page.title == "A river"
    assert page.text.count(SENTENCE.strip()) == 7
    assert "Home" not in page.text and "Imprint" not in page.text
    assert 5 < page.left_out < 40


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "html", ["", "<p></p>", "<div>" * 20_000 + "x", "&amp;" * 50_000, "\0<p>a</p>", "<table>" * 900]
)
def test_no_page_is_too_bad(reader: str, html: str) -> None:
    assert isinstance(read_by(reader, html).text, str)


def test_the_readers_are_those_of_the_options() -> None:
    assert tuple(READERS) == HTML_READERS


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(page_readers, "import_module", missing)
    page_readers._program.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ConfigError, match=r"gptwright\[corpus\]"):
        read_by("resiliparse", PAGE)
