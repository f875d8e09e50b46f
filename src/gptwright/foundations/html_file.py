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
<meta http-equiv="Content-Security-Policy" content="{policy}">
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
    policy, script, style = policy_of(script, style, worker=worker), _script(script), _style(style)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")
    return PAGE.format(language=language, title=escape(title), script=script, style=style, data=text, policy=policy)


def policy_of(script: str, style: str, *, worker: bool = False) -> str:
    """The page's Content-Security-Policy, which a server of the page sends as a header too."""
    workers = " worker-src blob:;" if worker else ""
    run, styled = source_hash(_script(script)), source_hash(_style(style))
    return (
        f"default-src 'none'; script-src '{run}'; style-src '{styled}';{workers} "
        "img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _script(text: str) -> str:
    return text.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _style(text: str) -> str:
    return text.replace("</style", r"<\/style")


def source_hash(text: str) -> str:
    """What a Content-Security-Policy calls a script or a style by."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
