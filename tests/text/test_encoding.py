from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.text.encoding import decode, decode_html

HERE = Path("book.txt")
CHINESE = "话说天下大势,分久必合,合久必分。周末七国分争,并入于秦。及秦灭之后,楚、汉分争,又并入于汉。\n" * 5
ENGLISH = "It is a truth universally acknowledged, that a single man in possession of a good fortune\n"


@given(st.text(alphabet=st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_utf8_comes_back(text: str) -> None:
    data = text.encode()
    if not data.startswith((b"%PDF", b"PK", b"GIF8", b"GGUF", b"PAR1", b"{\\rtf")):
        assert decode(data, HERE) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("text", [CHINESE, CHINESE + ENGLISH])
def test_chinese_is_read_in_its_encodings(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding), HERE) == text


def test_utf16_of_both_orders() -> None:
    assert decode(b"\xff\xfe" + ENGLISH.encode("utf-16-le"), HERE) == ENGLISH
    assert decode(b"\xfe\xff" + ENGLISH.encode("utf-16-be"), HERE) == ENGLISH


@pytest.mark.parametrize(
    ("text", "encoding", "offset"),
    [
        ("naïve café, déjà vu, Übermaß", "latin1", 2),
        ("Größe, Maß, Füße und Öl", "cp1252", 2),
        ("привет, мир", "cp1251", 0),
    ],
)
def test_other_encodings_are_refused_with_the_offset(text: str, encoding: str, offset: int) -> None:
    with pytest.raises(InputError, match=rf"book\.txt; got a byte that is not .* at offset {offset}\)(.|\n)*iconv"):
        decode(text.encode(encoding) * 20, HERE)


def test_one_bad_byte_in_utf8_chinese_is_not_taken_for_gb18030() -> None:
    data = CHINESE.encode()
    with pytest.raises(InputError, match=f"at offset {len(data)}"):
        decode(data + b"\xff" + data, HERE)
    with pytest.raises(InputError):
        decode(data[:-2], HERE)


@pytest.mark.parametrize("data", [b"text\0text", b"%PDF-1.7 ...", b"\x89PNG\r\n", b"PK\x03\x04...", b"\x1f\x8b\x08..."])
def test_binary_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"text in book\.txt"):
        decode(data, HERE)


def test_utf16_that_is_cut_short_is_refused() -> None:
    with pytest.raises(InputError, match="offset"):
        decode(b"\xff\xfeA\0B", HERE)


def test_a_page_is_read_as_it_declares() -> None:
    page = '<html><head><meta charset="windows-1252"></head><body>Größe</body></html>'
    assert decode_html(page.encode("cp1252"), HERE) == page
    assert decode_html(page.encode(), HERE) == page
    with pytest.raises(InputError, match="known encoding"):
        decode_html(page.replace("windows-1252", "martian").encode("cp1252"), HERE)
