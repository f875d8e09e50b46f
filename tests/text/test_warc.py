import gzip
import io
import lzma
from pathlib import Path

import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.text import warc
from gptwright.text.documents import Document
from gptwright.text.links import Links
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions
from gptwright.text.warc import BROKEN_OFF, DAMAGED, NO_ANSWER, NO_TEXT, NOT_LINKED, OTHER_KIND, TOO_LARGE

PAGE = b"<title>A page</title><nav>Menu</nav><p>Caf\xc3\xa9 and bread.</p>"


def record(
    kind: str, content: bytes, *, http: str | None = "text/html", status: str = "200 OK", more: str = ""
) -> bytes:
    """A record of an archive; with `http`, the answer of a server with this type of content."""
    if http is not None:
        content = f"HTTP/1.1 {status}\r\nContent-Type: {http}\r\n{more}\r\n".encode() + content
    outer = "application/http; msgtype=response" if http is not None else "text/plain"
    head = (f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://a.example/{kind}\r\n"
            "WARC-Record-ID: <urn:uuid:0a>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
            f"Content-Type: {outer}\r\nContent-Length: {len(content)}\r\n\r\n")  # fmt: skip
    return head.encode() + content + b"\r\n\r\n"


def read(path: Path, data: bytes) -> tuple[list[Document], list[str]]:
    path.write_bytes(data)
    skipped: list[str] = []
    return list(read_file(path, lambda source, reason: skipped.append(reason))), skipped


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.xz"])
def test_pages_and_why_others_give_none(tmp_path: Path, name: str) -> None:
    records = [
        record("warcinfo", b"software: x", http=None),
        record("response", PAGE),
        record("response", b"caf\xe9 noir", http="text/plain; charset=latin1"),
        record("response", PAGE, status="404 Not Found"),
        record("response", b"\x89PNG", http="image/png"),
        record("response", b"\x00\x01\x02\x00 nothing", http="text/plain"),
        record("request", b"GET / HTTP/1.1\r\n\r\n", http=None),
        record("response", gzip.compress(PAGE), more="Content-Encoding: gzip\r\n"),
    ]
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(Path(name).suffix, bytes)
    documents, skipped = read(tmp_path / name, b"".join(map(pack, records)))
    assert [(found.title, found.text) for found in documents] == [
        ("A page", "Café and bread."),
        ("http://a.example/response", "café noir"),
        ("A page", "Café and bread."),
    ]
    assert skipped == [NO_ANSWER, OTHER_KIND, NO_TEXT]
    assert documents[0].cut == {"menus and the like of web pages": len("Menu")}
    assert {(found.source, found.file) for found in documents} == {(name, (tmp_path / name).as_posix())}


def test_texts_of_wet(tmp_path: Path) -> None:
    data = gzip.compress(record("conversion", b"Ein Text.", http=None))
    documents, skipped = read(tmp_path / "a.warc.wet.gz", data)
    assert [(found.title, found.text) for found in documents] == [("http://a.example/conversion", "Ein Text.")]
    assert skipped == []


def test_an_archive_that_breaks_off_gives_what_is_before(tmp_path: Path) -> None:
    whole = [record("response", PAGE) for _ in range(3)]
    documents, skipped = read(tmp_path / "a.warc", b"".join(whole)[:-30])
    assert len(documents) == 2 and skipped == [BROKEN_OFF]
    packed = [gzip.compress(each) for each in whole]
    for name, data, left in (
        ("cut.warc.gz", b"".join(packed)[:-40], 2),
        ("bit.warc.gz", packed[0] + packed[1][:40] + b"\xff" * 30 + packed[2], 1),
        ("no.warc", b"".join(whole[:2]) + b"no archive\r\n\r\n" + whole[2], 2),
    ):
        documents, skipped = read(tmp_path / name, data)
        assert len(documents) == left and skipped in ([BROKEN_OFF], [DAMAGED])


def test_a_record_that_unpacks_to_more_than_may_be_goes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MOST", 1000)
    bomb = record("response", gzip.compress(b"<p>" + b"a" * 10**6), more="Content-Encoding: gzip\r\n")
    documents, skipped = read(tmp_path / "a.warc.gz", gzip.compress(bomb) + gzip.compress(record("response", PAGE)))
    assert len(documents) == 1 and skipped == [TOO_LARGE]


def test_a_page_that_nests_deep_is_read(tmp_path: Path) -> None:
    documents, _ = read(tmp_path / "a.warc", record("response", b"<div>" * 20_000 + b"deep"))
    assert documents[0].text == "deep"


def test_without_the_reader_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(warc, "import_module", missing)
    with pytest.raises(ConfigError, match=r"gptwright\[corpus\]"):
        next(warc.read_warc(io.BytesIO(), Path("a.warc.xz"), ReadOptions()))


def test_only_pages_that_links_lead_to(tmp_path: Path) -> None:
    dump = tmp_path / "links.jsonl"
    dump.write_text('{"url": "https://www.a.example/response#x", "score": 3}\n')
    (tmp_path / "a.warc").write_bytes(
        record("response", PAGE) + record("response", PAGE).replace(b"a.example", b"b.example")
    )
    skipped: list[str] = []
    options = ReadOptions(links=Links(dump))
    documents = list(read_file(tmp_path / "a.warc", lambda source, reason: skipped.append(reason), options))
    assert len(documents) == 1 and skipped == [NOT_LINKED]
