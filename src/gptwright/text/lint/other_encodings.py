"""Text that was read in a wrong encoding in ways that are found but not mended: of Chinese, Japanese, Korean, Russian.

What was lost on the way cannot be told, so `prepare` leaves such text alone; a person reads the file again.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from gptwright.text.lint.code_spans import CodeSpans
from gptwright.text.mojibake import has_code_page_signs

LOST = re.compile("\ufffd+|(?:锟斤拷)+锟?|烫{4,}|屯{4,}")
"""signs that were lost: the one for it, what that is through GBK, and what memory is that nobody wrote to"""
_SIGNS_OF_LOSS = ("\ufffd", "锟", "烫烫", "屯屯")
_LEADS = "".join(bytes((lead, trail)).decode("gb18030", "ignore")
                 for lead in range(0xE2, 0xF1) for trail in range(0x80, 0xC0))  # fmt: skip
"""what GBK makes of the first two bytes of a sign from U+2000 on"""
_THROUGH_GBK = re.compile(rf"[{re.escape(_LEADS)}](?<![^\x00-\x7f\ufffd].)[^\x00-\x7f\ufffd]{{2,}}", re.DOTALL)
"""signs beyond ASCII that begin with one of those"""
_HIGH = re.compile(r"[\xa1-\xff]{4,}")
_SHIFT_JIS = re.compile(r"(?:[‚ƒ][^\s\x00-\x1f]){3,}")
_QUOTED = re.compile(r"(?:=[C-F][0-9A-F](?:=[89AB][0-9A-F])+)+")
_SURE, _SURE_ALONE = 4, 6
"""letters of a run, where there are more of them, and alone"""
_LEAST_LOST, _MOST_LOST = 10, 0.3


def other_encodings(text: str) -> Iterator[tuple[int, str]]:
    """Where such text is, and "ÖÐ¹ú for 中国"."""
    for match in _QUOTED.finditer(text) if "=" in text else ():
        if was := _decoded(bytes.fromhex(match[0].replace("=", "")), "utf-8"):
            yield match.start(), _shown(match[0], was)
    if _is_asked_away(text):
        yield text.index("?"), "signs that were lost: ?"
    if text.isascii():
        return
    yield from _lost(text)
    yield from _utf8_through_gbk(text)
    if not has_code_page_signs(text):
        return
    for match in _SHIFT_JIS.finditer(text):
        if was := _decoded(match[0].encode("cp1252", "replace"), "shift_jis"):
            yield match.start(), _shown(match[0], was)
    yield from _of_high_bytes(text)


def _lost(text: str) -> Iterator[tuple[int, str]]:
    if not any(sign in text for sign in _SIGNS_OF_LOSS):
        return
    code = CodeSpans(text)
    lost = (match for match in LOST.finditer(text) if not code.shows(*match.span()))
    yield from ((match.start(), "a sign that was lost") for match in lost)


def _utf8_through_gbk(text: str) -> Iterator[tuple[int, str]]:
    for match in _THROUGH_GBK.finditer(text):
        data = match[0].encode("gb18030", "replace")
        try:
            was = data.decode()
        except UnicodeDecodeError as error:
            was = data[: error.start].decode() if error.start >= max(9, 0.7 * len(data)) else ""
        if len(was) >= 2 and all(sign >= "\u2000" for sign in was):
            yield match.start(), _shown(match[0], was)


def _of_high_bytes(text: str) -> Iterator[tuple[int, str]]:
    """Runs that are GBK, Korean or Russian read as Latin-1: no language has so many such letters in a row."""
    found = [(match.start(), match[0], was) for match in _HIGH.finditer(text) if (was := _from_high_bytes(match[0]))]
    if len(found) > 1 or any(len(signs) >= _SURE_ALONE for _, signs, _ in found):
        yield from ((place, _shown(signs, was)) for place, signs, was in found)


def _from_high_bytes(signs: str) -> str:
    data = signs.encode("latin-1")
    if len(set(data)) < 3 or all(one < other for one, other in pairwise(data)):
        return ""  # a cry, or a row of the table
    if all(byte >= 0xC0 for byte in data):
        return _russian(data)
    leads = data[: len(data) & ~1 : 2]
    if max(leads) < 0xC0:
        return ""  # fractions and quotes
    encoding = "euc_kr" if max(leads) <= 0xC8 else "gb2312"
    common = sum(0xB0 <= lead <= 0xD7 for lead in leads)
    return _decoded(data[: 2 * len(leads)], encoding) if common >= 0.75 * len(leads) else ""


def _russian(data: bytes) -> str:
    """Small letters are the upper half of windows-1251, and the lower one of KOI8-R."""
    small = sum(byte >= 0xE0 for byte in data[1:]) / (len(data) - 1)
    if small >= 0.7:
        return _decoded(data, "cp1251")
    if small <= 0.3:
        return _decoded(data, "koi8_r" if data[0] >= 0xE0 else "cp1251")
    return ""


def _is_asked_away(text: str) -> bool:
    """Whether a program has written ? for what it could not: many in a row, beside little else."""
    if "?? ?" not in text:
        return False
    lost = sum(map(len, re.findall(r"\?{2,}", text)))
    return lost >= _LEAST_LOST and lost > _MOST_LOST * sum(not sign.isspace() for sign in text)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _shown(signs: str, was: str) -> str:
    return f"{signs[:20]} for {was[:20]}"
