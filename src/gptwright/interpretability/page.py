"""What was seen, as one HTML file."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from gptwright.foundations.html_file import html_file, policy_of

WEB = Path(__file__).parent / "web"
FRAME_HEIGHT = 900
"""points, in a notebook"""


@dataclass(frozen=True)
class Page:
    """`html`: the whole file; `policy`: its Content-Security-Policy; `note`: what of a text is not shown, if anything.
    In a notebook it is shown."""

    html: str
    policy: str
    note: str = ""

    def _repr_html_(self) -> str:
        inside = escape(self.html, quote=True)
        return f'<iframe srcdoc="{inside}" width="100%" height="{FRAME_HEIGHT}" sandbox="allow-scripts"></iframe>'


def page(view: Any, title: str) -> Page:
    """The page of a view (`inside.inside`), with the script and the style that were built from ui/src/see."""
    script, style = ((WEB / f"see.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    return Page(html_file(view, script=script, style=style, title=title), policy_of(script, style))
