"""One process at a time in a folder: the second is told who works there.

The system holds the lock and lets go of it when its holder ends, however it ends: nobody has to clear away after a
process that was killed. The file only says who holds it.
"""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any

from gptwright.foundations.errors import ResourceError
from gptwright.foundations.processes import is_first

try:
    import fcntl
except ImportError:  # Windows has other locks: there nobody is told
    fcntl = None

LOCK = ".lock"
TRIES = 100
UNABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOLCK, errno.ENOTSUP,
          errno.ENOSYS, errno.ENOSPC, errno.EDQUOT)  # fmt: skip
_mine: set[Path] = set()


@contextlib.contextmanager
def lock_folder(folder: Path) -> Generator[None]:
    """Makes `folder` where there is none, and holds it while the block runs; an empty one that it made goes again.

    Of several processes of one work the first holds it for all, and a process may hold it twice. Where nothing can be
    written or locked the block runs without: it will meet that itself, if it writes. Raises `ResourceError` naming who
    works there.
    """
    path = folder.resolve()
    if fcntl is None or not is_first() or path in _mine:
        yield
        return
    made = not folder.exists()
    held = _hold(folder)
    if held is None:
        yield
        return
    _mine.add(path)
    try:
        yield
    finally:
        _mine.discard(path)
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
        os.close(held)
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _hold(folder: Path) -> int | None:
    """The open lock file; None where there can be no lock."""
    for _ in range(TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            continue  # another process has just left, and taken its empty folder along
        except OSError as error:
            if error.errno in UNABLE:
                return None
            raise
        with contextlib.ExitStack() as opened:
            opened.callback(os.close, file)
            if not _locked(file, folder):
                return None
            if not _is_there(file, folder / LOCK):
                continue  # the one before us has just left, and taken its file along
            who = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().isoformat(" ", "seconds")}
            with contextlib.suppress(OSError):  # a full disk
                os.truncate(file, 0)
                os.write(file, json.dumps(who).encode())
            opened.pop_all()
            return file
    return None


def _locked(file: int, folder: Path) -> bool:
    """Whether the system could lock it. Raises `ResourceError` when somebody else has."""
    assert fcntl is not None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ResourceError(f"{folder} for this command alone", _who(file), "Wait until it has ended, stop it, or "
                            "choose another folder with --out.") from error  # fmt: skip
    except OSError as error:
        if error.errno in UNABLE:
            return False
        raise
    return True


def _is_there(file: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def _who(file: int) -> str:
    with contextlib.suppress(ValueError, OSError, KeyError, TypeError):
        who: dict[str, Any] = json.loads(os.pread(file, 4096, 0))
        return f"process {who['pid']} on {who['host']}, which has worked there since {who['since']}"
    return "another process, which has just begun to work there"
