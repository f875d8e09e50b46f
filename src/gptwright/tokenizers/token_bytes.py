"""What every id says: a table from ids to bytes, and the streaming of ids to text through it.

Byte-level and byte-fallback vocabularies give exact bytes. GPT-1 and WordPiece forget capitals and spaces when they
encode; their tokens give readable text.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.byte_unicode import BYTE_TO_UNICODE, unicode_to_bytes
from tokenizers import Tokenizer as Backend

SPACE = "▁"  # sentencepiece's character for a space
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True)
class TokenBytes:
    """The bytes of every id (special tokens have none), and what encoding adds in front of a text or behind it."""

    by_id: Mapping[int, bytes]
    id_of_byte: Mapping[int, int]
    """a token for each of the 256 bytes; empty when the vocabulary has none"""
    prefix: bytes = b""
    suffix: bytes = b""

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of a whole text."""
        data = b"".join(self.by_id.get(i, b"") for i in ids)
        return data.removeprefix(self.prefix).removesuffix(self.suffix)


class StreamingDecoder:
    """Ids to text, one at a time: call it with the next id, and `flush` at the end.

    A character split over tokens comes with its last token. With `begins` the ids are a whole text, otherwise they
    continue one, and the space before their first word is kept.
    """

    def __init__(self, token_bytes: TokenBytes, begins: bool) -> None:
        self._token_bytes = token_bytes
        self._surplus = token_bytes.prefix if begins else b""
        self._held = b"" if begins else token_bytes.suffix
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def __call__(self, token: int) -> str:
        """The text that this id makes certain."""
        data = self._token_bytes.by_id.get(token, b"")
        if not data:
            return ""
        data, self._surplus = self._held + data.removeprefix(self._surplus), b""
        self._held = self._token_bytes.suffix if data.endswith(self._token_bytes.suffix) else b""
        return self._characters.decode(data.removesuffix(self._held))

    def flush(self) -> str:
        """What was waiting for more: a character that was never completed becomes U+FFFD."""
        return self._characters.decode(b"", True)


def token_bytes_of(backend: Backend) -> TokenBytes:
    """Reads the backend's decoder. Raises `ArtifactError` when it is none of the four kinds."""
    decoder: dict[str, Any] = json.loads(backend.decoder.__getstate__()) if backend.decoder else {}
    steps = cast("list[dict[str, Any]]", decoder.get("decoders", [decoder]))
    for step in steps:
        if step.get("type") in _READERS:
            return _READERS[str(step["type"])](_TextTokens.of(backend), steps)
    raise ArtifactError("a tokenizer whose decoder is ByteLevel, ByteFallback, BPEDecoder or WordPiece",
                        str(decoder.get("type", "none")), "Use a byte-level, byte-fallback, GPT-1 or BERT tokenizer.",
                        )  # fmt: skip


@dataclass(frozen=True)
class _TextTokens:
    """Every token that says something: learned ones, and those that were added as they stand."""

    learned: dict[str, int]
    added: dict[str, int]

    @classmethod
    def of(cls, backend: Backend) -> "_TextTokens":
        tokens = backend.get_added_tokens_decoder()
        added = {token.content: i for i, token in tokens.items() if not token.special}
        learned = {token: i for token, i in backend.get_vocab().items() if i not in tokens}
        return cls(learned, added)

    def bytes_by_id(self, to_bytes: Callable[[str], bytes]) -> dict[int, bytes]:
        return {i: to_bytes(token) for token, i in (self.learned | self.added).items()}


def _byte_level(tokens: _TextTokens, steps: list[dict[str, Any]]) -> TokenBytes:
    def to_bytes(token: str) -> bytes:
        known = unicode_to_bytes(token)
        return token.encode() if known is None else known

    by_id = {i: to_bytes(token) for token, i in tokens.learned.items()}
    by_id |= {i: token.encode() for token, i in tokens.added.items()}
    return TokenBytes(by_id, _all_bytes(tokens, BYTE_TO_UNICODE))


def _byte_fallback(tokens: _TextTokens, steps: list[dict[str, Any]]) -> TokenBytes:
    def to_bytes(token: str) -> bytes:
        byte = _BYTE.fullmatch(token)
        return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()

    strips = any(
        step.get("start", 0) > 0 or step.get("prepend_scheme", "never") != "never" or step.get("add_prefix_space")
        for step in steps
        if step.get("type") in ("Strip", "Metaspace")
    )
    token_of_byte = {byte: f"<0x{byte:02X}>" for byte in range(256)}
    return TokenBytes(tokens.bytes_by_id(to_bytes), _all_bytes(tokens, token_of_byte), prefix=b" " if strips else b"")


def _gpt1(tokens: _TextTokens, steps: list[dict[str, Any]]) -> TokenBytes:
    suffix = next(str(step["suffix"]) for step in steps if step["type"] == "BPEDecoder")
    return TokenBytes(tokens.bytes_by_id(lambda token: token.replace(suffix, " ").encode()), {}, suffix=b" ")


def _wordpiece(tokens: _TextTokens, steps: list[dict[str, Any]]) -> TokenBytes:
    step = next(step for step in steps if step["type"] == "WordPiece")
    prefix, closing = str(step["prefix"]), [".", "?", "!", ","] if step["cleanup"] else []

    def to_bytes(token: str) -> bytes:
        alone = token.startswith(prefix) or token in closing
        return (token.removeprefix(prefix) if alone else f" {token}").encode()

    return TokenBytes(tokens.bytes_by_id(to_bytes), {}, prefix=b" ")


def _all_bytes(tokens: _TextTokens, token_of_byte: Mapping[int, str]) -> dict[int, int]:
    found = {byte: tokens.learned[token] for byte, token in token_of_byte.items() if token in tokens.learned}
    return found if len(found) == len(token_of_byte) else {}


_READERS: dict[str, Callable[[_TextTokens, list[dict[str, Any]]], TokenBytes]] = {
    "ByteLevel": _byte_level,
    "ByteFallback": _byte_fallback,
    "Metaspace": _byte_fallback,
    "BPEDecoder": _gpt1,
    "WordPiece": _wordpiece,
}
