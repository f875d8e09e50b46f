"""A set of 16-byte digests in a file without a name: it takes no memory of its own, however many there are.

A table of slots, mapped into memory, where a digest stands in the first free slot from the one that its first bytes say
on. What was not asked for of late the system keeps on the disk.
"""

import mmap
from pathlib import Path

from gptwright.text.disk_file import nameless_file

WIDTH = 16
FIRST_SLOTS = 2**12
FULLEST = 0.5
_FREE = bytes(WIDTH)


class DiskSet:
    """Digests that are spread evenly, 32 to 64 bytes each: below `folder`, or where the system has its temporary
    files."""

    def __init__(self, folder: Path | None = None, slots: int = FIRST_SLOTS) -> None:
        self._folder, self._count = folder, 0
        self._table = self._open(slots)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, digest: bytes) -> bool:
        place = self._place(digest)
        return self._table[place : place + WIDTH] == digest

    def add(self, digest: bytes) -> None:
        """A digest other than all zeros, which is the mark of a free slot."""
        place = self._place(digest)
        if self._table[place : place + WIDTH] == digest:
            return
        self._table[place : place + WIDTH] = digest
        self._count += 1
        if WIDTH * self._count > FULLEST * len(self._table):
            self._grow()

    def _place(self, digest: bytes) -> int:
        """Where the digest stands, or would."""
        table, place = self._table, WIDTH * (int.from_bytes(digest[:8], "little") & self._mask)
        while (there := table[place : place + WIDTH]) != digest and there != _FREE:
            place = (place + WIDTH) % len(table)
        return place

    def _open(self, slots: int) -> mmap.mmap:
        self._mask = slots - 1
        with nameless_file(self._folder, WIDTH * slots) as file:
            return mmap.mmap(file.fileno(), WIDTH * slots)

    def _grow(self) -> None:
        old, self._count = self._table, 0
        self._table = self._open(2 * len(old) // WIDTH)
        for place in range(0, len(old), WIDTH):
            if (digest := old[place : place + WIDTH]) != _FREE:
                self.add(digest)
        old.close()
