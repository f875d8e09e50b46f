"""What was seen as one HTML file: it needs no server, and may load nothing from anywhere."""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent / "web"
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
FRAME_HEIGHT = 900
"""points, in a notebook"""


@dataclass(frozen=True)
class Page:
    """`html`: the whole file. In a notebook it is shown."""

    html: str

    def _repr_html_(self) -> str:
        inside = escape(self.html, quote=True)
        return f'<iframe srcdoc="{inside}" width="100%" height="{FRAME_HEIGHT}" sandbox="allow-scripts"></iframe>'


def page(view: Any, title: str) -> Page:
    """The page of a view (`inside.inside`), with the script and the style that were built from ui/src/see."""
    script = (WEB / "see.js").read_text(encoding="utf-8").replace("</script", r"<\/script")
    style = (WEB / "see.css").read_text(encoding="utf-8").replace("</style", r"<\/style")
    data = json.dumps(view, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")
    return Page(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<script type="application/json" id="view">{data}</script>
<script>{script}</script>
</body>
</html>
"""
    )
