"""Fails when a page of the site would load something from another host: its reader may have no network.

python docs/outside.py site
"""

import re
import sys
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

ELSEWHERE = re.compile(r"\s*(?:[a-z]+:)?//", re.IGNORECASE)
LOADED = ("src", "srcset", "poster", "data")
IN_STYLES = re.compile(r"""(?:@import\s*|url\(\s*)["']?((?:https?:)?//[^"')\s]+)""")
LATER = ".mermaid"  # the theme's script would fetch what draws it


def loaded(page: str) -> list[str]:
    """The addresses at other hosts that a browser asks for when it shows this page."""
    tree = LexborHTMLParser(page)
    found = [node.attributes.get(name) or "" for name in LOADED for node in tree.css(f"[{name}]")]
    found += [node.attributes.get("href") or "" for node in tree.css("link[href]") if not is_named(node.attributes)]
    styles = "\n".join([*(node.text() for node in tree.css("style")),
                        *(node.attributes.get("style") or "" for node in tree.css("[style]"))])  # fmt: skip
    drawn = [node.html or "" for node in tree.css(LATER)]
    return [address for address in found if ELSEWHERE.match(address)] + IN_STYLES.findall(styles) + drawn


def is_named(link: dict[str, str | None]) -> bool:
    """Whether a link only names another page: nothing is fetched."""
    return (link.get("rel") or "") in ("canonical", "alternate", "next", "prev", "author", "license")


def main() -> None:
    folder = Path(sys.argv[1])
    pages = sorted(folder.rglob("*.html"))
    wrong = [f"{page}: {address}" for page in pages for address in loaded(page.read_text(encoding="utf-8"))]
    for style in sorted(folder.rglob("*.css")):
        wrong += [f"{style}: {address}" for address in IN_STYLES.findall(style.read_text(encoding="utf-8"))]
    if wrong or not pages:
        sys.exit("\n".join([f"needed pages that load nothing from another host; got {len(pages)} pages, and", *wrong]))
    print(f"{folder}: {len(pages)} pages, and none loads anything from another host")


if __name__ == "__main__":
    main()
