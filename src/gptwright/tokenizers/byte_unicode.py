"""GPT-2's printable letter for every byte, so that any bytes can be written as a word of a text file."""

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]

LETTER_OF_BYTE = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(0x100 + i) for i, byte in enumerate(_OTHERS)}
"""A byte itself when it is printable, else the next free letter from U+0100."""
_BYTE_OF_LETTER = {i: 0xFFFF for i in range(256)} | {ord(letter): byte for byte, letter in LETTER_OF_BYTE.items()}


def spelled(data: bytes) -> str:
    """The letters of the bytes."""
    return "".join(LETTER_OF_BYTE[byte] for byte in data)


def bytes_of(token: str) -> bytes | None:
    """The bytes that the letters stand for; None when a character is no such letter."""
    try:
        return token.translate(_BYTE_OF_LETTER).encode("latin-1")
    except UnicodeEncodeError:
        return None
