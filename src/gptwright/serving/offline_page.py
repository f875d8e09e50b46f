"""The labelling page as one file, with tasks inside: it runs from a disk, asks no server, and may load nothing."""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{script_hash}'; \
style-src '{style_hash}'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'">
<title>gptwright</title>
<style>{style}</style>
</head>
<body>
<script type="application/json" id="work">{work}</script>
<script>{script}</script>
</body>
</html>
"""


def offline_page(work: Mapping[str, Any], language: str) -> str:
    """The page with `work`: a labeller and their tasks."""
    script, style = _built()
    data = json.dumps(work).replace("<", "\\u003c")  # what people wrote must not end the element
    return PAGE.format(language={"zh": "zh-Hans"}.get(language, language), script=script, style=style, work=data,
                       script_hash=_hash(script), style_hash=_hash(style))  # fmt: skip


@cache
def _built() -> tuple[str, str]:
    web = Path(__file__).parent / "web"
    script = (web / "offline.js").read_text(encoding="utf-8").replace("</script", "<\\/script")
    return script.replace("<!--", "<\\!--"), (web / "offline.css").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
