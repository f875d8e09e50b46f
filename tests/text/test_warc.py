import base64
import gzip
import io
import lzma
import zlib
from pathlib import Path

import pytest
import zstandard

from gptwright.foundations.errors import ConfigError
from gptwright.text import warc
from gptwright.text.documents import Document
from gptwright.text.links import Links
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions
from gptwright.text.warc import (
    BROKEN_OFF,
    DAMAGED,
    NO_ANSWER,
    NO_TEXT,
    NOT_LINKED,
    NOT_UNPACKED,
    OTHER_KIND,
    REST,
    TOO_LARGE,
)

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
    return list(read_file(path, lambda source, reason, error="": skipped.append(reason))), skipped


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


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.xz"])
def test_what_is_wrong_with_one_body_costs_no_page_behind_it(tmp_path: Path, name: str) -> None:
    bomb = gzip.compress(bytes(warc.MOST + 2**20))
    bad = {
        "Content-Encoding: br": (b"\x01\x02\x03" * 100, NOT_UNPACKED),
        "Content-Encoding: gzip": (b"no gzip at all", NOT_UNPACKED),
        "content-encoding:  GZip": (bomb, TOO_LARGE),
        "Transfer-Encoding: chunked": (b"zz\r\nno chunk", NOT_UNPACKED),
        "Content-Encoding: gzip\r\nTransfer-Encoding: chunked": (
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(bomb), bomb),
            TOO_LARGE,
        ),
    }
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(Path(name).suffix, bytes)
    for heads, (body, reason) in bad.items():
        records = [record("response", body, more=f"{heads}\r\n"), record("response", PAGE), record("response", PAGE)]
        documents, skipped = read(tmp_path / name, b"".join(map(pack, records)))
        assert (len(documents), skipped) == (2, [reason]), heads


def test_a_page_in_chunks_is_whole(tmp_path: Path) -> None:
    packed = gzip.compress(PAGE)
    documents, skipped = read(
        tmp_path / "a.warc",
        record("response", b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE), more="Transfer-Encoding: chunked\r\n")
        + record("response", b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed),
                 more="Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")
        + record("response", packed, more="Content-Encoding: gzip\r\n")[:-40],
    )  # fmt: skip
    assert [found.text for found in documents] == ["Café and bread."] * 2
    assert skipped == [BROKEN_OFF]


LONG = b"<p>" + b" ".join(b"word%d" % i for i in range(3000))
BARE = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
@pytest.mark.parametrize(
    ("heads", "packed"),
    [
        ("Content-Encoding: gzip", gzip.compress(LONG)),
        ("Content-Encoding: X-GZip", gzip.compress(LONG[:9000]) + gzip.compress(LONG[9000:])),
        ("Content-Encoding: deflate", zlib.compress(LONG)),
        ("Content-Encoding: deflate", BARE.compress(LONG) + BARE.flush()),
        ("Content-Encoding: zstd", zstandard.compress(LONG[:9000]) + zstandard.compress(LONG[9000:])),
    ],
    ids=["gzip", "gzip twice", "deflate", "deflate without a head", "zstd twice"],
)
def test_a_body_that_breaks_off_stays_as_far_as_it_goes_and_is_counted(
    tmp_path: Path, name: str, heads: str, packed: bytes
) -> None:
    pack, whole = gzip.compress if name.endswith(".gz") else bytes, LONG[3:].decode()
    for end in (len(packed), len(packed) - 1, len(packed) * 9 // 10):
        records = [record("response", packed[:end], more=f"{heads}\r\n"), record("response", PAGE)]
        documents, skipped = read(tmp_path / name, b"".join(map(pack, records)))
        assert len(documents) == 2 and whole.startswith(documents[0].text), end
        assert len(documents[0].text) > len(whole) / 3
        assert skipped == ([] if end == len(packed) else [REST]), end


def test_brotli_that_breaks_off_goes_and_is_counted(tmp_path: Path) -> None:
    whole = base64.b64decode(
        "G18B4I3THbGJPg6m5vERg6ODQ9IA2+tQyA7oDwcKgwKJypNj8dmQV12HmHJp2q6/UA5CYjHW9cMGJBZjXT9qQGIx1u0D"
    )
    for end in (len(whole) // 2, len(whole) - 1):
        body = record("response", whole[:end], more="Content-Encoding: br\r\n")
        documents, skipped = read(tmp_path / "a.warc", body + record("response", PAGE))
        assert len(documents) == 1 and skipped == [NOT_UNPACKED]


LAST_CHUNKS = (b"0\r\n\r\n", b"0;a=b\r\nChecked: yes\r\n\r\n", b"000\r\n")


@pytest.mark.parametrize("end", [b"", b"5\r\n", b"no size\r\n", *LAST_CHUNKS])
def test_chunks_without_the_last_are_not_the_whole_page(tmp_path: Path, end: bytes) -> None:
    chunks = b"%x\r\n%s\r\n" % (len(PAGE), PAGE) + end
    documents, skipped = read(
        tmp_path / "a.warc",
        record("response", chunks, more="Transfer-Encoding: chunked\r\n") + record("response", PAGE),
    )
    assert [found.text for found in documents] == ["Café and bread."] * 2
    assert skipped == ([] if end in LAST_CHUNKS else [REST])


def test_what_was_packed_twice_is_unpacked_twice_and_an_unknown_word_means_nothing(tmp_path: Path) -> None:
    twice = zstandard.compress(gzip.compress(PAGE))
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(twice), twice)
    documents, skipped = read(
        tmp_path / "a.warc",
        record("response", chunks, more="Content-Encoding: gzip, zstd\r\nTransfer-Encoding: chunked\r\n")
        + record("response", PAGE, more="Content-Encoding: utf-8\r\n"),
    )
    assert [found.text for found in documents] == ["Café and bread."] * 2 and skipped == []


def test_a_record_that_says_it_is_cut_is_counted(tmp_path: Path) -> None:
    cut = record("response", PAGE).replace(b"WARC-Date", b"WARC-Truncated: length\r\nWARC-Date")
    documents, skipped = read(tmp_path / "a.warc", cut + record("response", PAGE))
    assert len(documents) == 2 and skipped == [REST]


def test_an_empty_body_is_no_broken_one(tmp_path: Path) -> None:
    for heads in ("Content-Encoding: gzip", "Content-Encoding: zstd", "Transfer-Encoding: chunked"):
        documents, skipped = read(tmp_path / "a.warc", record("response", b"", more=f"{heads}\r\n"))
        assert [found.text for found in documents] == [""] and skipped == []


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


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.zst"])
def test_wherever_an_archive_breaks_off_no_record_is_lost_without_a_word(tmp_path: Path, name: str) -> None:
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(name).suffix, bytes)
    packed = [pack(record("response", PAGE)) for _ in range(3)]
    whole, last = b"".join(packed), len(packed[0]) * 2
    for end in (*range(last + 1, last + 30), *range(last + 30, len(whole), 7)):
        documents, skipped = read(tmp_path / name, whole[:end])
        assert len(documents) + len(skipped) == 3, end
    for end, count in ((last, 2), (len(whole), 3)):
        documents, skipped = read(tmp_path / name, whole[:end])
        assert len(documents) == count and skipped == []


def test_an_archive_that_is_packed_as_one_is_whole(tmp_path: Path) -> None:
    documents, skipped = read(tmp_path / "a.warc.gz", gzip.compress(record("response", PAGE) * 3))
    assert len(documents) == 3 and skipped == []


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
    documents = list(read_file(tmp_path / "a.warc", lambda source, reason, error="": skipped.append(reason), options))
    assert len(documents) == 1 and skipped == [NOT_LINKED]
