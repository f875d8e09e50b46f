"""The folder in which what was fetched stays, each folder in it whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gptwright.foundations.atomic_io import translate_os_errors

PLACE = "GPTWRIGHT_CACHE"
"""the variable that names another folder"""


def cache_folder() -> Path:
    """Where what was fetched stays: `GPTWRIGHT_CACHE`, or .cache/gptwright at home."""
    return Path(os.environ.get(PLACE) or Path.home() / ".cache" / "gptwright").absolute()


def keep_once(kept: Path, record: str, fill: Callable[[Path, Path], None]) -> None:
    """Has a folder filled under another name, and gives it its own when its `record` is written, the last of it; none
    is filled whose record is there. `fill` takes the folder, and one for what is thrown away."""
    if (kept / record).is_file():
        return
    with translate_os_errors(kept, PLACE):
        kept.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".fetching-", dir=kept.parent))
        try:
            new, rest = work / "new", work / "rest"
            new.mkdir()
            rest.mkdir()
            fill(new, rest)
            if not (kept / record).is_file():  # another process may have been faster
                shutil.rmtree(kept, ignore_errors=True)
                new.rename(kept)
        finally:
            shutil.rmtree(work, ignore_errors=True)
