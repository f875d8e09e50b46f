"""Names of encodings as the web means them: what a page says is often not what Python would take it for.

A page labelled `latin1` or `us-ascii` is windows-1252, `gb2312` is GB18030, `euc-kr` is Microsoft's code page 949.
"""

import codecs
from dataclasses import dataclass

import webencodings

_CODECS = {
    "big5": "big5hkscs",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "gbk": "gb18030",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""Python's codec where it is not called as the web calls it."""


@dataclass(frozen=True)
class Encoding:
    """What it is called, and Python's codec for it."""

    name: str
    codec: str


def lookup_encoding(label: str) -> Encoding | None:
    """What a label stands for, by the table of the WHATWG and then by Python's; None when neither knows it."""
    found = webencodings.lookup(label)
    # The web reads some old encodings as nothing at all, and any byte as a private character; Python knows better.
    if found and found.name not in ("replacement", "x-user-defined"):
        return Encoding("gb18030" if found.name == "gbk" else found.name, _CODECS.get(found.name, found.name))
    try:
        "a".encode(label.strip())
    except (LookupError, ValueError):  # unknown, no encoding of text, or no name at all
        return None
    name = codecs.lookup(label.strip()).name
    return Encoding(name, name)


def of_codec(codec: str) -> Encoding:
    """The encoding that one of Python's codecs stands for."""
    return lookup_encoding(_LABELS.get(codec, codec)) or Encoding(codec, codec)


_LABELS = {
    "big5hkscs": "big5",
    "cp874": "windows-874",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "euc_jis_2004": "euc-jp",
    "iso2022_jp_2": "iso-2022-jp",
    "iso2022_jp_2004": "iso-2022-jp",
    "iso2022_jp_ext": "iso-2022-jp",
    "mac-roman": "macintosh",
    "mac-cyrillic": "x-mac-cyrillic",
    "shift_jis_2004": "shift_jis",
}


def decode_as(data: bytes, meant: Encoding, *, replace: bool = False) -> str:
    """The text, with what browsers know beyond Python's codecs.

    Bytes that mean nothing raise `UnicodeDecodeError`, or become U+FFFD with `replace`.
    """
    return data.decode(meant.codec, "web-replace" if replace else "web")


def _beyond(error: UnicodeError) -> tuple[str, int]:
    """NEC's and IBM's rows of kanji (① ㎏ 髙) and the bytes that Windows left free, as the WHATWG's index has them.

    Raises the error again for what means nothing there either.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, start = error.object, error.start
    if error.encoding in ("euc_jp", "iso2022_jp_ext") and start + 1 < len(data):
        high = 0x80 if error.encoding == "euc_jp" else 0
        pair = (data[start] - high, data[start + 1] - high)
        if all(0x21 <= each <= 0x7E for each in pair) and (character := _kanji(*pair)):
            return character, start + 2
    if error.encoding == "charmap" and 0x80 <= data[start] <= 0x9F:
        return chr(data[start]), start + 1
    raise error


def _kanji(row: int, cell: int) -> str:
    """The character at a place of JIS X 0208 as Microsoft filled it; "" where it is empty."""
    first = (row + 1) // 2 + (0x70 if row <= 0x5E else 0xB0)
    second = cell + (0x1F + (cell >= 0x60) if row % 2 else 0x7E)
    return bytes([first, second]).decode("cp932", "ignore")


def _beyond_or_replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return _beyond(error)
    except UnicodeDecodeError as again:
        return codecs.replace_errors(again)


codecs.register_error("web", _beyond)
codecs.register_error("web-replace", _beyond_or_replaced)
