"""Files that are whole or absent: written under another name, flushed to the disk, then renamed.

A folder is described by `manifest.json`, written last: the SHA-256 of every file in it. One flipped bit loads
silently from every tensor format; the manifest is what notices it.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gptwright.foundations.errors import ArtifactError, ResourceError

MANIFEST = "manifest.json"


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def translate_os_errors(path: Path, chosen_by: str = "--out") -> Generator[None]:
    """Turns the system's refusals to write below `path` into a `ResourceError` with a remedy; `chosen_by` is what names
    another place."""
    another = f"Choose another folder with {chosen_by}."
    try:
        yield
    except (OSError, SafetensorError) as error:
        number = _errno(error)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ResourceError(
                f"room on the disk for {path}", os.strerror(number), "Free some space; what was saved before is whole."
            ) from error
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ResourceError(f"a place that can be written, {path}", os.strerror(number), another) from error
        if number in (errno.ENOTDIR, errno.EEXIST):
            raise ResourceError(f"a folder at {path}", "a file of that name in its way", another) from error
        if number == errno.EISDIR:
            raise ResourceError(
                f"a file at {path}", "a folder of that name in its way", "Choose another name."
            ) from error
        raise


def _errno(error: OSError | SafetensorError) -> int | None:
    """The system's number for what went wrong; safetensors has it in its text only."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os error (\d+)", str(error))
    return int(found[1]) if found else None


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_room(path: Path) -> None:
    """Raises the `ResourceError` that writing a file at `path` would end with, before there is anything to lose."""
    with translate_os_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.touch()
        unfinished.unlink()


def write_file(path: Path, fill: Callable[[Path], object]) -> None:
    """Lets `fill` write a temporary file, then gives it its name in one step.

    Raises `ResourceError` when the disk is full or may not be written; an earlier file at `path` stays as it was.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.touch()
            unasked = unfinished.stat().st_mode
            fill(unfinished)
            unfinished.chmod(unasked)  # some libraries write for the owner alone
            _flush(unfinished)
            unfinished.replace(path)
            _flush(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all."""
    write_file(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8", newline="\n"))


def write_json(path: Path, value: object) -> None:
    """Writes readable JSON whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    # Bytes of a file's name that are no text have no UTF-8; JSON can hold them as \\udcff, and reads them back.
    write_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def read_json(path: Path) -> Any:
    """Raises `ArtifactError` when the file is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"the file {path}", "nothing there", "Run the stage that makes it first.") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or JSON without measure
        raise ArtifactError(
            f"JSON in {path}", f"something else ({error})", "Delete the folder and run its stage again."
        ) from error


def unfinished_folder(path: Path) -> Path:
    """Where `new_folder` gathers what will be at `path`."""
    return path.with_name(f".{path.name}.unfinished")


@contextlib.contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """A folder that appears at `path`, complete with its manifest, only when the block ends well."""
    unfinished = unfinished_folder(path)
    with translate_os_errors(path):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        unasked = unfinished.stat().st_mode & 0o666  # what the umask leaves of a new file's rights
        try:
            yield unfinished
            for file in _files(unfinished):
                file.chmod(unasked)  # some libraries write for the owner alone
                _flush(file)
            write_json(
                unfinished / MANIFEST, {f.relative_to(unfinished).as_posix(): sha256(f) for f in _files(unfinished)}
            )
            if path.exists():
                shutil.rmtree(path)
            unfinished.rename(path)
            _flush(path.parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file() and f.name != MANIFEST)


def verify_folder(path: Path) -> None:
    """Raises `ArtifactError` naming the first file that is missing or whose bytes changed since it was written."""
    for name, expected in read_json(path / MANIFEST).items():
        file = path / name
        if not file.is_file():
            raise ArtifactError(f"the file {file}", "nothing there", "Delete the folder and run its stage again.")
        if (actual := sha256(file)) != expected:
            raise ArtifactError(
                f"{file} as it was written (SHA-256 {expected[:12]}…)",
                f"other bytes (SHA-256 {actual[:12]}…): the file was damaged or changed",
                "Restore it from a copy, or delete the folder and run its stage again.",
            )
