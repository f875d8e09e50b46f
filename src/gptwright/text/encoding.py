"""Bytes to text: UTF-8, UTF-16 with its mark, or GB18030 when it is clearly Chinese; never a guess beyond these."""

import codecs
import re
from pathlib import Path

from gptwright.foundations.errors import InputError

SAMPLE = 100_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MAGIC = {
    b"%PDF": "a PDF file",
    b"PK\x03\x04": "a zip archive (.docx, .epub, .zip)",
    b"\x1f\x8b": "gzip data without the suffix .gz",
    b"\x28\xb5\x2f\xfd": "zstd data without the suffix .zst",
    b"\xfd7zXZ": "xz data without the suffix .xz",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x7fELF": "a program",
    b"GGUF": "a GGUF model",
    b"PAR1": "parquet data without the suffix .parquet",
    b"{\\rtf": "a rich text document",
}
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)


def decode(data: bytes, path: Path) -> str:
    """The text in `data`; `path` is for messages. Raises `InputError` for binary data and unknown encodings."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _strict(data, name, path)
    _refuse_binary(data, path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if not _is_damaged_utf8(data, error.start) and (chinese := _as_chinese(data)) is not None:
            return chinese
        raise _wrong_encoding(path, error) from error


def decode_html(data: bytes, path: Path) -> str:
    """Like `decode`, but a page that is not UTF-8 is read in the encoding it declares, when it declares one."""
    declared = _DECLARED.search(data[:4096])
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        if declared and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _strict(data, declared[1].decode("ascii"), path)
    return decode(data, path)


def _strict(data: bytes, encoding: str, path: Path) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, error) from error
    except LookupError as error:
        raise InputError(f"a known encoding in {path}", f"'{encoding}'", "Save the file as UTF-8.") from error


def _refuse_binary(data: bytes, path: Path) -> None:
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None and (position := data.find(b"\0")) >= 0:
        kind = f"binary data (a zero byte at offset {position})"
    if kind:
        raise InputError(f"text in {path}", kind, "Convert it to UTF-8 text first, or leave the file out.")


def _is_damaged_utf8(data: bytes, start: int) -> bool:
    # Chinese in GB18030 stops being valid UTF-8 within a few characters; several valid ones before mean UTF-8.
    return sum(byte >= 0xC0 for byte in data[max(0, start - SAMPLE) : start]) >= 8


def _as_chinese(data: bytes) -> str | None:
    """The text when the bytes are sound GB18030 and mostly common Chinese characters, else None."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    sample = text[:SAMPLE]
    foreign = [c for c in sample if ord(c) >= 0x80]
    ideographs = [c for c in foreign if "\u4e00" <= c <= "\u9fff"]
    # The first level of GB 2312, lead bytes B0 to D7, holds the characters that make up nearly all running text.
    common = sum(0xB0 <= byte <= 0xD7 for byte in "".join(ideographs).encode("gb2312", "ignore")[::2])
    letters = sum(not c.isspace() for c in sample)
    is_chinese = len(ideographs) >= 0.7 * len(foreign) and common >= 0.5 * len(ideographs)
    return text if is_chinese and len(ideographs) >= 0.2 * letters else None


def _wrong_encoding(path: Path, error: UnicodeDecodeError) -> InputError:
    byte = error.object[error.start]
    return InputError(
        f"UTF-8 text in {path}",
        f"a byte that is not ({byte:#04x} at offset {error.start})",
        "Save it as UTF-8, for example: iconv -f ENCODING -t UTF-8 FILE > NEW (ENCODING is its own, such as latin1).",
    )
