"""Files that are no text, whatever their names say: told by their first bytes."""

import re
from pathlib import Path

from gptwright.foundations.errors import InputError

_WRITTEN_AS_TEXT = {
    re.compile(rb"%PDF-\d\.\d\s"): "a PDF file",
    re.compile(rb"\{\\rtf1[\\\s]"): "a rich text document",
}
# Letters alone prove nothing: these count only in what is no text otherwise.
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
    b"\xd0\xcf\x11\xe0": "an old Office document (.doc, .xls)",
}


def refuse_binary(data: bytes, path: Path) -> None:
    """Raises `InputError` for what is no text in any encoding without zero bytes, saying what it is where known."""
    kind = next((kind for pattern, kind in _WRITTEN_AS_TEXT.items() if pattern.match(data)), None)
    zero = data.find(b"\0")
    if kind is None and (zero >= 0 or not is_utf8(data)):
        kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None and zero >= 0:
        kind = f"binary data (a zero byte at offset {zero})"
    if kind:
        raise InputError(f"text in {path}", kind, "Convert it to UTF-8 text first, or leave the file out.")


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8, ASCII included."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
