"""Bytes to text: UTF-8, and text with a byte order mark; else the encoding that was given or found, else a refusal.

Every text comes with the name of its encoding, so that nothing is read as something else without a word.
"""

import codecs
import re
from contextlib import suppress
from pathlib import Path

from gptwright.foundations.errors import InputError
from gptwright.text.binary import refuse_binary
from gptwright.text.detection import SAMPLE, detect_encoding, detect_shifted, detect_wide, is_sparse
from gptwright.text.documents import UTF8
from gptwright.text.encoding_labels import Encoding, decode_as, lookup_encoding

# The little-endian mark of UTF-32 begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_DECLARED_XML = re.compile(rb"\A\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]+)", re.IGNORECASE)


def decode(data: bytes, path: Path, given: Encoding | None = None) -> tuple[str, str]:
    """The text in `data` and the name of its encoding; `path` is for messages.

    `given` is the encoding of what is neither UTF-8 nor marked as something else. Raises `InputError` for binary data,
    and for what is in no encoding that can be told.
    """
    if found := _plain(data, path, given):
        return found
    if given:
        return _strict(data, given, path)
    fault = _first_fault(data)
    if _is_damaged_utf8(data):
        raise _not_in(path, UTF8, data, fault)
    if found := detect_encoding(data):
        return found
    raise InputError(f"text in {path} in UTF-8 or in an encoding that can be told",
                     f"bytes that are neither (the first is {data[fault]:#04x} at offset {fault})",
                     "Say with --encoding which it is, such as windows-1252, or save the file as UTF-8.")  # fmt: skip


def decode_html(data: bytes, path: Path, given: Encoding | None = None) -> tuple[str, str]:
    """Like `decode`, but a page that is not UTF-8 is read in the encoding it declares, when it declares one.

    As in a browser, one bad byte does not hide a page: what means nothing in the declared encoding, or in UTF-8 for a
    page without one, becomes U+FFFD where no other encoding fits.
    """
    declared = given or _declared(data)
    if found := _plain(data, path, declared):
        return found
    declared = declared or Encoding(UTF8, UTF8)
    try:
        return decode_as(data, declared), declared.name
    except UnicodeDecodeError:
        text = decode_as(data, declared, replace=True)
        found = None if given or _is_mostly_sound(text) or _is_damaged_utf8(data) else detect_encoding(data)
        return found or (text, f"{declared.name} with bad bytes")


def _plain(data: bytes, path: Path, declared: Encoding | None) -> tuple[str, str] | None:
    """What needs no guess: marked text and UTF-8, and text in which zero bytes or shifts show what it is.

    Raises `InputError` for binary data.
    """
    for bom, name in _BYTE_ORDER_MARKS:
        if data.startswith(bom):
            return _strict(data, Encoding(name.removesuffix("-sig"), name), path)
    found = detect_wide(data) if b"\0" in data else detect_shifted(data, declared) if data.isascii() else None
    if found is None:
        refuse_binary(data, path)
        with suppress(UnicodeDecodeError):
            found = data.decode(UTF8), UTF8
    return found


def _declared(data: bytes) -> Encoding | None:
    """What a page says of itself. It could not say it in UTF-16, so that means UTF-8, as in browsers."""
    head = _COMMENT.sub(b"", data[:4096])
    declared = _DECLARED.search(head) or _DECLARED_XML.search(head)
    found = lookup_encoding(declared[1].decode("ascii")) if declared else None
    return Encoding(UTF8, UTF8) if found and found.name.startswith("utf-16") else found


def _strict(data: bytes, meant: Encoding, path: Path) -> tuple[str, str]:
    try:
        return decode_as(data, meant), meant.name
    except UnicodeDecodeError as error:
        raise _not_in(path, meant.name, data, error.start) from error


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether around the first fault so many characters beyond ASCII are sound in UTF-8 as chance does not make in any
    other encoding."""
    fault = _first_fault(data)
    near = data[max(0, fault - SAMPLE) : fault + SAMPLE]
    text = near.decode(UTF8, "surrogateescape")
    bad = len(re.findall("[\udc80-\udcff]", text))
    sound = len(re.findall("[^\x00-\x7f\udc80-\udcff]", text))
    return sound >= (bad / 2 if is_sparse(near) else 2 * bad)


def _is_mostly_sound(text: str) -> bool:
    """Whether at most a third of the characters beyond ASCII are U+FFFD: in another encoding nearly all are."""
    return 3 * text.count("\ufffd") <= sum(not c.isascii() for c in text)


def _first_fault(data: bytes) -> int:
    """Where bytes stop to be UTF-8."""
    try:
        return len(data.decode(UTF8))
    except UnicodeDecodeError as error:
        return error.start


def _not_in(path: Path, name: str, data: bytes, offset: int) -> InputError:
    return InputError(f"{name.upper()} text in {path}", f"a byte that is not ({data[offset]:#04x} at offset {offset})",
                      "Save the file again as UTF-8, or say with --encoding what it is.")  # fmt: skip
