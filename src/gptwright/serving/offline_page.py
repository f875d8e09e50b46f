"""The labelling page as one file, with tasks inside: it runs from a disk, and asks no server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gptwright.foundations.html_file import html_file

WEB = Path(__file__).parent / "web"


def offline_page(work: Mapping[str, Any], language: str) -> str:
    """The page with `work`: a labeller and their tasks."""
    script, style = ((WEB / f"offline.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    return html_file(work, script=script, style=style, title="gptwright",
                     language={"zh": "zh-Hans"}.get(language, language))  # fmt: skip
