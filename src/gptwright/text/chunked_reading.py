"""Reading many files by turns, more than may be open at once: each is closed between the chunks that are read of it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gptwright.text.documents import Document, Skip
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions

MOST_OPEN = 64
FIRST_CHUNK, LARGEST_CHUNK = 2**14, 2**20  # characters


def read_in_chunks(path: Path, skip: Skip, options: ReadOptions | None = None) -> Iterator[Document]:
    """The documents of a file, as `read_file` gives them.

    Each chunk is twice as large as the one before, so that little is read again to come to its place.
    """
    start: int | None = 0
    size = FIRST_CHUNK
    while start is not None:
        chunk, start = _chunk(path, skip, options, start, size)
        yield from chunk
        size = min(2 * size, LARGEST_CHUNK)


def _chunk(
    path: Path, skip: Skip, options: ReadOptions | None, start: int, size: int
) -> tuple[list[Document], int | None]:
    """Documents from number `start` on, one more than make up `size` characters, and the number of the next one; None
    when the file has ended, which that one more has shown."""
    seen, characters = 0, 0
    chunk: list[Document] = []

    def skip_new(source: str, reason: str, error: str = "") -> None:
        if seen >= start:
            skip(source, reason, error)

    with closing(read_file(path, skip_new, options)) as documents:
        for document in documents:
            seen += 1
            if seen <= start:
                continue
            chunk.append(document)
            if characters >= size:
                return chunk, seen
            characters += len(document.text)
    return chunk, None
