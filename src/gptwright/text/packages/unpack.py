"""Archives of packages unpacked: wheels, tar archives, and Debian's, which hold one.

Nothing of them is trusted: what leads out of the folder ends the unpacking, links and devices are left out, and neither
files, their number nor what tells about them may be more than its bound.
"""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from gptwright.foundations.errors import InputError
from gptwright.text.compression import open_compressed

MOST_BYTES, MOST_FILES = 2**32, 200_000
LONGEST_NAME = 2**20
"""bytes that a tar archive may take to tell a file's name and the like"""
KINDS = ".whl .zip .tgz .tar.gz .tar.xz .tar.zst .tar .deb"
_BLOCK = 2**20
_AR, _AR_HEAD = b"!<arch>\n", 60
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
           UnicodeError, OSError)  # fmt: skip


def unpack(archive: Path, folder: Path) -> int:
    """Unpacks into an empty folder and returns how many links and the like were left out.

    Raises `InputError` for what is damaged, of another kind, over a bound, or leads out of the folder.
    """
    unpacking = _Unpacking(archive, folder)
    try:
        if archive.suffix in (".whl", ".zip"):
            _unpack_zip(archive, unpacking)
        elif archive.suffix == ".deb":
            _unpack_tar(_tar_of_deb(archive, folder.parent), unpacking)
        elif archive.suffix == ".tgz":
            _unpack_tar(archive.rename(archive.with_suffix(".tar.gz")), unpacking)
        elif ".tar" in archive.suffixes[-2:] and archive.suffix != ".bz2":
            _unpack_tar(archive, unpacking)
        else:
            raise InputError(f"a package in {KINDS}", archive.name, "Take another version of it.")
    except _DAMAGE as error:
        raise InputError(f"a whole package at {archive.name}", f"a damaged one ({error})",
                         "Fetch it again, or leave it out.") from error  # fmt: skip
    return unpacking.left_out


class _Unpacking:
    """Writes files below a folder as long as they stay within the bounds."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self._name, self._folder = archive.name, folder
        self._bytes, self._files = MOST_BYTES, MOST_FILES
        self.left_out = 0

    def write(self, name: str, opened: AbstractContextManager[IO[bytes]]) -> None:
        """One file, read to its end."""
        place = self._place(name)
        self._files -= 1
        if self._files < 0:
            raise self._refused(f"at most {MOST_FILES:,} files", "more")
        place.parent.mkdir(parents=True, exist_ok=True)
        with opened as source, place.open("wb") as file:
            while block := source.read(min(_BLOCK, self._bytes + 1)):
                self._bytes -= len(block)
                if self._bytes < 0:
                    raise self._refused(f"at most {MOST_BYTES / 2**30:.3g} GiB unpacked", "more")
                file.write(block)

    def _place(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name.split("/")[0] or not parts:
            raise self._refused("names of files that stay inside", f"{name!r}")
        return self._folder.joinpath(*parts)

    def _refused(self, needed: str, got: str) -> InputError:
        return InputError(f"{needed} in the package {self._name}", got, "Leave it out; it is no ordinary package.")


def _unpack_zip(path: Path, unpacking: _Unpacking) -> None:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if stat.S_ISLNK(entry.external_attr >> 16):
                unpacking.left_out += 1
            elif not entry.is_dir():
                unpacking.write(entry.filename, archive.open(entry))


def _unpack_tar(path: Path, unpacking: _Unpacking) -> None:
    with open_compressed(path) as file, tarfile.open(fileobj=file, mode="r|", tarinfo=_Member) as archive:
        for member in archive:
            if member.isreg() and (opened := archive.extractfile(member)):
                unpacking.write(member.name, opened)
            elif not member.isdir():
                unpacking.left_out += 1


class _Member(tarfile.TarInfo):
    """A member of a tar archive; one that tells about the next may not be larger than a page of names is."""

    def _proc_member(self, tarfile: tarfile.TarFile) -> Any:
        if not self.isreg() and self.size > LONGEST_NAME:
            raise ValueError(f"a head of {self.size:,} bytes")
        return super()._proc_member(tarfile)  # pyright: ignore[reportAttributeAccessIssue]


def _tar_of_deb(path: Path, folder: Path) -> Path:
    """The archive inside of a Debian package that has its files, as a file of its own."""
    with path.open("rb") as file:
        if file.read(len(_AR)) != _AR:
            raise ValueError("it does not begin as an ar archive does")
        for name, size in _ar_members(file):
            if name.startswith("data.tar"):
                return _copied(file, size, folder / name.rstrip("/"))
            file.seek(size + size % 2, 1)
    raise ValueError("no data.tar in it")


def _ar_members(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Names and sizes; whoever asks for the next one has gone over the last."""
    while len(head := file.read(_AR_HEAD)) == _AR_HEAD:
        yield head[:16].decode("ascii").strip(), int(head[48:58])


def _copied(file: IO[bytes], size: int, place: Path) -> Path:
    with place.open("wb") as copy:
        while size > 0:
            if not (block := file.read(min(size, _BLOCK))):
                raise EOFError("it ends before its end")
            copy.write(block)
            size -= len(block)
    return place
