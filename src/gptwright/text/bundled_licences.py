"""Under which licence a bundled text stands, as data/SOURCES.md says."""

import re
from functools import cache
from pathlib import Path

from gptwright.foundations.errors import ArtifactError
from gptwright.text.bundled import PLACES, bundled_file

OWN = {"teaching": "Apache-2.0 (gptwright's own)"}
"""folders of data/ that were written for this project"""


def licence_of_source(name: str) -> str | None:
    """Of a bundled source such as `novels`, or of a package whose code is bundled; None where no table has it."""
    return _table().get(f"{name}.jsonl.xz") or _table().get(name)


def licence_of_file(path: Path) -> str | None:
    """Of a file of the bundled folder; None of any other file."""
    place = path.resolve()
    folder = next((folder.resolve() for folder in PLACES if folder.resolve() in place.parents), None)
    if folder is None:
        return None
    inside = place.relative_to(folder)
    return OWN.get(inside.parts[0]) or _table().get(inside.as_posix())


@cache
def _table() -> dict[str, str]:
    """What the tables with a column of licences say of the name that their rows begin with."""
    found: dict[str, str] = {}
    column = None
    try:
        lines = bundled_file("SOURCES.md").read_text(encoding="utf-8").splitlines()
    except ArtifactError:
        return {}
    for line in lines:
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")] if line.startswith("|") else []
        lowered = [cell.lower() for cell in cells]
        if not cells:
            column = None
        elif column is None:
            column = lowered.index("licence") if "licence" in lowered else len(cells)
        elif column < len(cells) and cells[column]:
            found.setdefault(re.sub(r" [\d.]+$", "", cells[0]), cells[column])
    return found
