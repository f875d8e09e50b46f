"""A file without a name, for a table that is mapped into memory: its room on the disk is taken at once.

Where a mapped page finds no room, the system ends the process without a word (SIGBUS).
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gptwright.foundations.atomic_io import translate_os_errors


@contextmanager
def nameless_file(folder: Path | None, size: int) -> Generator[IO[bytes]]:
    """A file of `size` bytes, all zeros, below `folder` or where the system has its temporary files; there as long as
    it is open or mapped.

    Raises `ResourceError` when there is no room for it.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    with translate_os_errors(place), tempfile.TemporaryFile(dir=place) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS
            file.truncate(size)
        yield file
