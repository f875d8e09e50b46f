"""GPT-2's printable character for every byte, so that any bytes can be written as a word of a text file."""

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]

BYTE_TO_UNICODE = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(0x100 + i) for i, byte in enumerate(_OTHERS)}
"""A byte itself when it is printable, else the next free character from U+0100."""
_UNICODE_TO_BYTE = {i: 0xFFFF for i in range(256)} | {
    ord(character): byte for byte, character in BYTE_TO_UNICODE.items()
}


def bytes_to_unicode(data: bytes) -> str:
    """The bytes as GPT-2 writes them."""
    return "".join(BYTE_TO_UNICODE[byte] for byte in data)


def unicode_to_bytes(token: str) -> bytes | None:
    """The bytes that the characters stand for; None when one stands for no byte."""
    try:
        return token.translate(_UNICODE_TO_BYTE).encode("latin-1")
    except UnicodeEncodeError:
        return None
