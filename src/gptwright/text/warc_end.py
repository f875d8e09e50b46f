"""Whether a web archive ends inside of a record of which so little is there that its reader passes over it."""

import zlib
from typing import IO

HEAD = 2**16  # bytes; the head of a record is shorter
EMPTY_LINE = b"\r\n\r\n"


def ends_in_a_head(archive: IO[bytes], last: int, *, packed: bool) -> bool:
    """`last` is where the last record begins that was read, -1 without any; the archive is packed by gzip, each record
    apart, or not.

    In an archive that is packed as one nothing begins: its reader tells where it breaks off.
    """
    begins = _cut_member(archive, max(last, 0)) if packed else _cut_head(archive, max(last, 0))
    return begins > last


def _cut_head(archive: IO[bytes], start: int) -> int:
    """Where a head begins that has no end; -1 where none does. A head ends with an empty line, and so does what follows
    it."""
    size = archive.seek(0, 2)
    archive.seek(max(start, size - HEAD))
    rest = archive.read().rpartition(EMPTY_LINE)[2]
    return size - len(rest) if rest.startswith(b"WARC/") else -1


def _cut_member(archive: IO[bytes], start: int) -> int:
    """Where a member of gzip begins that has no end, from the one at `start` on; -1 where none does."""
    archive.seek(start)
    member, begins, place, left = zlib.decompressobj(31), start, start, b""
    while data := left or archive.read(HEAD):
        if member.eof:
            member, begins = zlib.decompressobj(31), place
        try:
            member.decompress(data)
        except zlib.error:  # no beginning of a member, or damage that the reader tells
            return -1
        left = member.unused_data
        place += len(data) - len(left)
    return -1 if member.eof or place == start else begins
