import io
import zipfile
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text import epub
from gptwright.text.documents import Document
from gptwright.text.read import read_file

CONTAINER = '<container xmlns="urn:x"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
ITEM = '<item id="{0}" href="{0}.xhtml" media-type="application/xhtml+xml" {1}/>'
PAGE = (
    '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
    '<body><a id="x"/>{}</body></html>'
)


def package(order: str = "two one nav note") -> str:
    items = [ITEM.format(name, 'properties="nav"' if name == "nav" else "") for name in ("one", "two", "nav", "note")]
    refs = [f'<itemref idref="{name}" linear="{"no" if name == "note" else "yes"}"/>' for name in order.split()]
    return (f'<package xmlns="http://www.idpf.org/2007/opf"><metadata><dc:title xmlns:dc="urn:dc">A Book</dc:title>'
            f"</metadata><manifest>{''.join(items)}</manifest><spine>{''.join(refs)}</spine></package>")  # fmt: skip


def write(path: Path, **files: str) -> Path:
    whole = {"META-INF/container.xml": CONTAINER, "OPS/book.opf": package()}
    whole |= {f"OPS/{name}.xhtml": PAGE.format(f"<h1>{name}</h1><p>Text of {name}.</p>")
              for name in ("one", "two", "nav", "note")}  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (whole | files).items():
            archive.writestr(name, text)
    return path


def read(path: Path) -> Document:
    (book,) = read_file(path)
    return book


def test_the_pages_of_a_book_in_the_order_of_reading(tmp_path: Path) -> None:
    book = read(write(tmp_path / "a.epub"))
    assert (book.title, book.source) == ("A Book", "a.epub")
    assert book.text == "two\nText of two.\n\none\nText of one."


def test_names_with_signs_and_references_twice_and_to_nothing(tmp_path: Path) -> None:
    opf = package("one one gone").replace("one.xhtml", "../OPS/a%20b.xhtml")
    path = write(tmp_path / "a.epub", **{"OPS/book.opf": opf, "OPS/a b.xhtml": PAGE.format("<p>Here.</p>")})
    assert read(path).text == "Here."


@pytest.mark.parametrize(
    "files",
    [
        {"META-INF/container.xml": "<container/>"},
        {"META-INF/container.xml": "no xml"},
        {"OPS/book.opf": package().replace("two.xhtml", "../../../etc/passwd")},
        {"OPS/book.opf": '<!DOCTYPE p [<!ENTITY a "aa">' + "".join(
            f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 30}">' for i in range(9)) + "]><package>&j;</package>"},
    ],
)  # fmt: skip
def test_what_is_no_book_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"a\.epub"):
        read(write(tmp_path / "a.epub", **files))


def test_damage_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.epub").read_bytes()
    for data in (b"", b"PK\x03\x04", whole[:-30], whole[:200] + b"\xff" * 200 + whole[400:]):
        (tmp_path / "a.epub").write_bytes(data)
        with pytest.raises(InputError, match=r"a\.epub"):
            read(tmp_path / "a.epub")


def test_a_book_that_unpacks_to_more_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.epub", **{"OPS/one.xhtml": PAGE.format("a" * 10**6)})
    assert path.stat().st_size < 10_000
    assert len(read(path).text) > 10**6
    monkeypatch.setattr(epub, "MOST", 10**5)
    with pytest.raises(InputError, match="more when unpacked"):
        read(path)


def test_an_encrypted_book_is_refused(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.epub").read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.start_dir
    for at in range(len(data)):
        if data[at : at + 4] == b"PK\x03\x04":
            data[at + 6] |= 1
        elif at >= start and data[at : at + 4] == b"PK\x01\x02":
            data[at + 8] |= 1
    (tmp_path / "a.epub").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        read(tmp_path / "a.epub")
