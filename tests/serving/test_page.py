"""The files of the pages: those that were built, no other, and few bytes at the start."""

import asyncio
import gzip
import re
from pathlib import Path
from typing import Any

import gptwright.serving.page as page

WEB = Path(page.__file__).parent / "web"
MOST = 300_000  # bytes, compressed, that load before anything can be done


def loaded(name: str) -> set[str]:
    """The file and what it loads by itself: the page its scripts and styles, a script what it imports at the top."""
    text = (WEB / name).read_text(encoding="utf-8")
    if name.endswith(".html"):
        found = set(re.findall(r'(?:src|href)="/([^"]+)"', text))
    else:
        found = set(re.findall(r'\b(?:from|import)\s*"\./([^"]+)"', text)) if name.endswith(".js") else set[str]()
    return {name}.union(*(loaded(one) for one in found))


def test_what_was_built_is_served_and_nothing_else(client: Any) -> None:
    files = {f"/{path.name}" for path in WEB.iterdir()}
    served = page.page_files()
    assert set(served) == (files - {"/index.html"}) | {"/"}
    assert all(WEB.joinpath(path[1:] or "index.html").read_bytes() == content for path, (content, _) in served.items())

    async def go() -> None:
        async with client() as http:
            for path, (content, kind) in served.items():
                answer = await http.get(path)
                assert (answer.content, answer.headers["content-type"]) == (content, kind)
            for path in ("/index.html", "/web/app.js", "/%2e%2e/page.py", "/..%2fpage.py", "/app.js/"):
                assert (await http.get(path)).status_code == 404, path

    asyncio.run(go())


def test_the_start_is_small() -> None:
    first = loaded("index.html")
    assert {"index.html", "app.js", "index.css", "theme.js"} <= first
    assert sum(len(gzip.compress((WEB / name).read_bytes(), mtime=0)) for name in first) <= MOST
