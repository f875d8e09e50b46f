"""Bodies of a web archive as a server sent them, unpacked each by itself: a fault in one is not one of the archive, in
which the library's reader finds no record behind a body that it has unpacked in part."""

import re
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from io import BytesIO
from typing import Any

import zstandard

from gptwright.text.compression import ZstdFrames

PACKING = ("Content-Encoding", "Transfer-Encoding")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_GZIP = b"\x1f\x8b"
Unpack = Callable[[bytes, int], tuple[bytes, bool]]


def unpacked(data: bytes, packing: Mapping[str, str], most: int) -> tuple[bytes, bool]:
    """At most `most` bytes of a body, as far as it goes, and whether it has its end. `packing` has the heads of the
    answer that say how it is packed; what they name beyond `CODINGS` is taken for nothing, as browsers do.

    Raises `OSError`, `EOFError`, `StopIteration` or `zlib.error` for one that cannot be unpacked.
    """
    applied = [coding.strip().lower() for head in PACKING for coding in packing.get(head, "").split(",")]
    is_whole = True
    for coding in reversed(applied):
        if data and (unpack := CODINGS.get(coding)):
            data, has_end = unpack(data, most)
            is_whole = is_whole and has_end
    return data, is_whole


def _joined(data: bytes, most: int) -> tuple[bytes, bool]:
    """The chunks of a body, each of which stands behind its size; one of no bytes is the last."""
    found, place = bytearray(), 0
    while (line := data.find(b"\n", place)) >= 0:
        size = _SIZE.fullmatch(data[place:line].partition(b";")[0].strip())
        if size is None:
            break
        if not (length := int(size[0], 16)):
            return bytes(found), True
        found += data[line + 1 : line + 1 + length]
        place = line + 1 + length
        place += 2 if data.startswith(b"\r\n", place) else data.startswith(b"\n", place)
    if not found:
        raise OSError("no chunk in it")
    return bytes(found), False


def _inflated(data: bytes, most: int) -> tuple[bytes, bool]:
    """gzip of one or more members, or deflate, which some servers send without its head. What follows is passed over,
    as browsers do."""
    found, bits = b"", zlib.MAX_WBITS | 32
    while data:
        member = zlib.decompressobj(bits)
        try:
            found += member.decompress(data, most - len(found))
        except zlib.error:
            if found or bits < 0 or data.startswith(_GZIP):
                raise
            bits = -zlib.MAX_WBITS
            continue
        if len(found) >= most or not member.eof:
            return found, False
        data = member.unused_data if member.unused_data.startswith(_GZIP) else b""
    return found, True


def _of_zstd(data: bytes, most: int) -> tuple[bytes, bool]:
    frames, found = ZstdFrames(BytesIO(data)), bytearray()
    try:
        while len(found) < most and (piece := frames.read(most - len(found))):
            found += piece
    except EOFError:
        return bytes(found), False
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from error
    return bytes(found), len(found) < most


def _of_brotli(data: bytes, most: int) -> tuple[bytes, bool]:
    """By fastwarc, which gives all or nothing."""
    library: Any = import_module("fastwarc.warc")
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n" + data
    record = (f"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
              f"Content-Length: {len(answer)}\r\n\r\n").encode() + answer  # fmt: skip
    alone: Any = next(library.ArchiveIterator(BytesIO(record), parse_http=True, auto_decode="all"))
    return alone.reader.read(most), True


CODINGS: Mapping[str, Unpack] = {
    "chunked": _joined,
    "gzip": _inflated,
    "x-gzip": _inflated,
    "deflate": _inflated,
    "zstd": _of_zstd,
    "br": _of_brotli,
}
