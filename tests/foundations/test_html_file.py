"""Pages of one file: what is inside can neither end its element nor run."""

import json
import re
from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest

from gptwright.foundations.html_file import html_file

HOSTILE = "</script><script>alert(1)</script><!--<script></style>\u2028{}"


def parts(page: str) -> tuple[Any, str, str]:
    found = re.search(r'<style>(.*?)</style>.*id="data">(.*?)</script>\n<script>(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[2]), found[3], found[1]


def test_data_comes_back_and_ends_nothing() -> None:
    page = html_file({HOSTILE: [HOSTILE]}, script="let a;", style="p {}", title=HOSTILE, language="zh-Hans")
    assert parts(page) == ({HOSTILE: [HOSTILE]}, "let a;", "p {}")
    assert page.count("<script") == 2 == page.count("</script>") and page.count("</style>") == 1
    assert '<html lang="zh-Hans">' in page and "<title>&lt;/script&gt;" in page


def test_only_its_own_script_and_style_may_run() -> None:
    page = html_file([], script="let b = '</script><!--';", style="q::after { content: '</style>' }", title="")
    _, script, style = parts(page)
    hashes = re.findall(r"'sha256-([^']+)'", page)
    assert [b64decode(one) for one in hashes] == [sha256(text.encode()).digest() for text in (script, style)]
    assert "unsafe" not in page and "default-src 'none'" in page


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        html_file(float("nan"), script="", style="", title="")
