"""Which licence a package says that it is under, in the words of its own metadata, as SPDX names it."""

import json
import re
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, cast

from gptwright.text.licences import KNOWN, LARGEST, UNKNOWN, licence_of, nearest_licence

_SHORT = {name.lower(): name for name in KNOWN} | {
    "expat": "MIT",
    "mit license": "MIT",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license (iscl)": "ISC",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "Python-2.0",
    "psf-2": "Python-2.0",
    "public domain": "public-domain",
    "the unlicense (unlicense)": "Unlicense",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
}
_GNU = re.compile(r"(a|l)?gpl-(\d)(?:\.(\d))?(\+?)(?:-only|-or-later)?", re.IGNORECASE)
_OWN = re.compile(r"debian/\S*\Z")


def stated_licence(registry: str, name: str, folder: Path) -> str:
    """The licence of an unpacked package; by its licence file where its metadata names none that is known."""
    said = {"pypi": _of_pypi, "npm": _of_npm, "debian": _of_debian}[registry](name, folder)
    if said != UNKNOWN:
        return said
    tops = [folder, *sorted(each for each in folder.iterdir() if each.is_dir())]
    tops += [folder for top in tops if (folder := top / "licenses").is_dir()]
    return next((found for top in tops if (found := nearest_licence(top / "file", top)[0]) != UNKNOWN), UNKNOWN)


def _of_pypi(name: str, folder: Path) -> str:
    for place in (*sorted(folder.glob("*.dist-info/METADATA")), *sorted(folder.glob("*/PKG-INFO"))):
        head = BytesHeaderParser().parsebytes(_head(place))
        if expression := head.get("License-Expression"):
            return str(expression).strip()
        named = {_spdx(each) for each in _pypi_names(head)} - {UNKNOWN}
        return _all(named) if named else licence_of(str(head.get("License", "")))
    return UNKNOWN


def _pypi_names(head: Message) -> Iterator[str]:
    yield str(head.get("License", ""))
    for classifier in head.get_all("Classifier", []):
        if str(classifier).startswith("License :: "):
            yield str(classifier).rpartition(" :: ")[2]


def _of_npm(name: str, folder: Path) -> str:
    """`package.json`; npm's archives have one folder, mostly called package."""
    for place in sorted(folder.glob("*/package.json")):
        try:
            fields: Any = json.loads(_head(place))
        except ValueError:
            continue
        said = cast("dict[str, Any]", fields).get("license") if isinstance(fields, dict) else None
        said = cast("dict[str, Any]", said).get("type") if isinstance(said, dict) else said
        if isinstance(said, str) and said.upper() not in ("", "UNLICENSED") and not said.startswith("SEE "):
            return _SHORT.get(said.lower(), said)
    return UNKNOWN


def _of_debian(name: str, folder: Path) -> str:
    """`copyright` by the machine-readable rules: what its files are under, packaging aside, all together."""
    place = folder / "usr" / "share" / "doc" / name / "copyright"
    text = _head(place).decode("utf-8", "replace")
    if not text.startswith("Format:"):
        return licence_of(text)
    found = set[str]()
    for stanza in re.split(r"\n\s*\n", text):
        files = re.search(r"^Files:((?:.*)(?:\n[ \t].*)*)", stanza, re.M)
        licence = re.search(r"^License:[ \t]*(.*)", stanza, re.M)
        if files and licence and not all(_OWN.match(each) for each in files[1].split()):
            found.add(_choice(licence[1]))
    return _all(found)


def _choice(said: str) -> str:
    """ "GPL-2+ or CC-BY-SA-3.0" in SPDX's words."""
    alternatives = [_all(_spdx(each) for each in re.split(r",? and ", part)) for part in re.split(r",? or ", said)]
    return " OR ".join(alternatives)


def _spdx(said: str) -> str:
    """A licence's name as SPDX has it, or as it is where it is short; what is long is told by its words."""
    bare = said.strip()
    if gnu := _GNU.fullmatch(bare):
        kind, major, minor, later = gnu.groups()
        return f"{(kind or '').upper()}GPL-{major}.{minor or 0}{'-or-later' if later else '-only'}"
    if known := _SHORT.get(bare.lower()):
        return known
    told = licence_of(bare)
    return bare if told == UNKNOWN and re.fullmatch(r"[\w.+-]*-\d[\w.+-]*", bare) else told


def _all(licences: Iterable[str]) -> str:
    """All of these hold."""
    parts = ([one] if " OR " in one else one.split(" AND ") for one in licences)
    each = sorted({part for licence in parts for part in licence})
    return " AND ".join(f"({one})" if " OR " in one and len(each) > 1 else one for one in each) or UNKNOWN


def _head(place: Path) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(LARGEST)
    except OSError:
        return b""
