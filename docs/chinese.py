"""Leads the links of Chinese pages to Chinese pages, where there are some, and to their headings.

`docs/build.py` calls it: who translates may leave the English target. A heading's Chinese anchor is found by its place
among the headings, which are as many in both editions.
"""

import re
from pathlib import Path

from anchors import LINK, anchors  # the file beside this one


def edition(page: Path) -> Path:
    """Where the Chinese edition of an English page stands, or would: beside it, NAME.zh.md."""
    return page.with_name(page.stem + ".zh.md")


def original(page: Path) -> Path:
    """The English page of a Chinese edition."""
    return page.with_name(page.name.removesuffix(".zh.md") + ".md")


def chinese_target(page: Path, target: str, anchor: str) -> str:
    """Where a link of an English page leads in its Chinese edition; ValueError when there is no such heading."""
    to = page.parent / target if target else page
    if ":" in target or to.suffix != ".md" or not edition(to).is_file():
        return target + anchor
    if anchor:
        anchor = "#" + anchors(edition(to))[anchors(to).index(anchor[1:])]
    return (edition(Path(target)).as_posix() if target else "") + anchor


def linked(page: Path) -> str:
    """The text of a Chinese page with its links set; the one to its own English page stays."""
    english = original(page)

    def lead(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        is_set = target.endswith(".zh.md") or target in ("", english.name)
        return link[0] if is_set else f"]({chinese_target(english, target, anchor)})"

    return LINK.sub(lead, page.read_text(encoding="utf-8"))


def pages(root: Path) -> list[Path]:
    """Every Chinese page."""
    return [*sorted((root / "docs").rglob("*.zh.md")), root / "README.zh.md"]
