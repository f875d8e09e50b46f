"""Which licence sources are under, told by the words of the licences themselves, as SPDX names them."""

import re
from functools import cache
from pathlib import Path

UNKNOWN = "unknown"
PERMISSIVE = frozenset((
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "PostgreSQL",
    "Python-2.0", "Unlicense", "Zlib", "public-domain",
))  # fmt: skip
FILES = re.compile(r"^(?:licen[cs]es?|copying|copyright|unlicense)(?:[._-].*)?$", re.IGNORECASE)
LARGEST = 2**20
_SPDX = re.compile(r"SPDX-License-Identifier:\s*([\w.+()-]+(?: (?:AND|OR|WITH) [\w.+()-]+)*)")
# The first whose words all stand in a text; the more particular stand before those that they contain.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AGPL-3.0", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1", ("gnu lesser general public license",)),
    ("LGPL-2.0", ("gnu library general public license",)),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license",)),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("EPL-2.0", ("eclipse public license",)),
    ("CC-BY-SA-4.0", ("attribution-sharealike 4.0",)),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("BSL-1.0", ("boost software license",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("Unlicense", ("free and unencumbered software released into the public domain",)),
    ("Python-2.0", ("python software foundation license",)),
    ("PostgreSQL", ("without a written agreement is hereby granted", "university of california")),
    ("Zlib", ("altered source versions must be plainly marked",)),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms", "provided that the following conditions")),
    ("MIT", ("permission is hereby granted, free of charge", "the above copyright notice")),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software", "copyright notice")),
    ("0BSD", ("permission to use, copy, modify, and/or distribute this software",)),
)
KNOWN = PERMISSIVE | {name for name, _ in _WORDS}


def licence_of(text: str) -> str:
    """The licence that a text names or contains, or `UNKNOWN`."""
    if tag := _SPDX.search(text):
        return tag[1]
    flat = " ".join(re.sub(r"[\s#*/\"']+", " ", text).lower().split())
    return next((name for name, words in _WORDS if all(word in flat for word in words)), UNKNOWN)


def is_permissive(licence: str) -> bool:
    """Whether a licence asks for no more than its notice; of a choice (OR) one must, of several (AND) all."""
    while inner := re.search(r"\(([^()]*)\)", licence):
        answer = "CC0-1.0" if is_permissive(inner[1]) else UNKNOWN
        licence = licence[: inner.start()] + answer + licence[inner.end() :]
    choices = licence.split(" OR ")
    return any(all(each.removesuffix("-only") in PERMISSIVE for each in choice.split(" AND ")) for choice in choices)


def nearest_licence(path: Path, root: Path) -> tuple[str, Path | None]:
    """The licence in the folder of a file, or the nearest one above it up to `root`, and the file that says it."""
    folder = path.parent
    while True:
        for file in _files(folder):
            if (found := _licence_in(file)) != UNKNOWN:
                return found, file
        if folder == root or root not in folder.parents:
            return UNKNOWN, None
        folder = folder.parent


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        return _files_at(folder, folder.stat().st_mtime_ns)
    except OSError:
        return ()


def _licence_in(file: Path) -> str:
    try:
        now = file.stat()
        return _licence_at(file, now.st_mtime_ns, now.st_size)
    except OSError:
        return UNKNOWN


@cache  # as a folder and a file are at a time: programs ask for the same ones again and again
def _files_at(folder: Path, changed: int) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.iterdir() if FILES.match(file.name) and file.is_file()))


@cache
def _licence_at(file: Path, changed: int, size: int) -> str:
    with file.open("rb") as opened:
        return licence_of(opened.read(LARGEST).decode("utf-8", "replace"))
