"""What files are called in records: by the bundled source, package or URL that they are of, else by their path."""

from pathlib import Path

from gptwright.text.bundled import bundled_name
from gptwright.text.compression import COMPRESSED
from gptwright.text.packages.cache import package_of
from gptwright.text.remote_files import url_of


def label(path: Path) -> str:
    """How a file is named in records: `bundled:novels`, a package and its place in it, a URL, or the path as given."""
    name = bundled_name(path)
    return f"bundled:{name}" if name else readable(origin(path))


def origin(path: Path) -> str:
    """Where a file is from, the same wherever what was fetched is kept: a package and its place in it, a URL, or the
    path as given."""
    package = package_of(path)
    return "/".join(package) if package else url_of(path) or path.as_posix()


def source_name(path: Path) -> str:
    """What the documents of a file name as their source."""
    package = package_of(path)
    return bundled_name(path) or (package[0] if package else readable(path.name))


def stem(path: Path) -> str:
    """The file's name without what says how it is read: BOOK for BOOK.TXT.gz."""
    return readable(path.with_suffix("").stem if path.suffix.lower() in COMPRESSED else path.stem)


def readable(name: str) -> str:
    """Some systems allow file names that are not text."""
    return name.encode("utf-8", "replace").decode()
