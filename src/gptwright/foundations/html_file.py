"""A page as one file, with its script, its style and its data inside: it needs no server, and may load nothing."""

import json
from base64 import b64encode
from hashlib import sha256
from html import escape

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{script_hash}'; \
style-src '{style_hash}';{workers} img-src data:; base-uri 'none'; form-action 'none'; \
require-trusted-types-for 'script'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def html_file(data: object, *, script: str, style: str, title: str, language: str = "en", worker: bool = False) -> str:
    """The page. The script finds `data`, as JSON, in the element "data". No other script and no other style runs, and
    nothing that people wrote can end an element. With `worker` the script may make threads of its own."""
    script = script.replace("</script", r"<\/script").replace("<!--", r"<\!--")
    style = style.replace("</style", r"<\/style")
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")
    workers = " worker-src blob:;" if worker else ""
    return PAGE.format(language=language, title=escape(title), script=script, style=style, data=text, workers=workers,
                       script_hash=_hash(script), style_hash=_hash(style))  # fmt: skip


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
