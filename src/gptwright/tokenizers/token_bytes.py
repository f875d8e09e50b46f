"""What every id says: a table from ids to bytes, and the streaming of ids to text through it.

Byte-level and byte-fallback vocabularies say exact bytes. GPT-1 and WordPiece forget capitals and spaces when they
encode; their tokens say readable text.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.byte_unicode import LETTER_OF_BYTE, bytes_of
from tokenizers import Tokenizer as Backend

SPACE = "▁"  # sentencepiece's letter for a space
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True)
class Spelling:
    """The bytes of every id (control tokens have none), and what encoding adds in front of a text or behind it."""

    pieces: Mapping[int, bytes]
    id_of_byte: Mapping[int, int]
    """a token for each of the 256 bytes; empty when the vocabulary has none"""
    before: bytes = b""
    after: bytes = b""

    def text(self, ids: Iterable[int]) -> bytes:
        """The bytes of a whole text."""
        said = b"".join(self.pieces.get(i, b"") for i in ids)
        return said.removeprefix(self.before).removesuffix(self.after)


class StreamingDecoder:
    """Ids to text, one at a time: call it with the next id, and `flush` at the end.

    A character split over tokens comes with its last token. With `begins` the ids are a whole text, otherwise they
    continue one, and the space before their first word is kept.
    """

    def __init__(self, spelling: Spelling, begins: bool) -> None:
        self._spelling = spelling
        self._surplus = spelling.before if begins else b""
        self._held = b"" if begins else spelling.after
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def __call__(self, token: int) -> str:
        """The text that this id makes certain."""
        said = self._spelling.pieces.get(token, b"")
        if not said:
            return ""
        said, self._surplus = self._held + said.removeprefix(self._surplus), b""
        self._held = self._spelling.after if said.endswith(self._spelling.after) else b""
        return self._characters.decode(said.removesuffix(self._held))

    def flush(self) -> str:
        """What was waiting for more: a character that was never completed becomes U+FFFD."""
        return self._characters.decode(b"", True)


def spelling_of(backend: Backend) -> Spelling:
    """Reads the backend's decoder. Raises `ArtifactError` when it is none of the four kinds."""
    decoder: dict[str, Any] = json.loads(backend.decoder.__getstate__()) if backend.decoder else {}
    steps = cast("list[dict[str, Any]]", decoder.get("decoders", [decoder]))
    for step in steps:
        if step.get("type") in _SPELLINGS:
            return _SPELLINGS[str(step["type"])](_Vocabulary.of(backend), steps)
    raise ArtifactError("a tokenizer whose decoder is ByteLevel, ByteFallback, BPEDecoder or WordPiece",
                        str(decoder.get("type", "none")), "Use a byte-level, byte-fallback, GPT-1 or BERT tokenizer.",
                        )  # fmt: skip


@dataclass(frozen=True)
class _Vocabulary:
    """Every token that says something: learned ones, and those that were added as they stand."""

    learned: dict[str, int]
    added: dict[str, int]

    @classmethod
    def of(cls, backend: Backend) -> "_Vocabulary":
        tokens = backend.get_added_tokens_decoder()
        added = {token.content: i for i, token in tokens.items() if not token.special}
        learned = {token: i for token, i in backend.get_vocab().items() if i not in tokens}
        return cls(learned, added)

    def spelled(self, say: Callable[[str], bytes]) -> dict[int, bytes]:
        return {i: say(token) for token, i in (self.learned | self.added).items()}


def _byte_level(vocabulary: _Vocabulary, steps: list[dict[str, Any]]) -> Spelling:
    def say(token: str) -> bytes:
        known = bytes_of(token)
        return token.encode() if known is None else known

    pieces = {i: say(token) for token, i in vocabulary.learned.items()}
    pieces |= {i: token.encode() for token, i in vocabulary.added.items()}
    return Spelling(pieces, _all_bytes(vocabulary, LETTER_OF_BYTE))


def _byte_fallback(vocabulary: _Vocabulary, steps: list[dict[str, Any]]) -> Spelling:
    def say(token: str) -> bytes:
        byte = _BYTE.fullmatch(token)
        return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()

    strips = any(
        step.get("start", 0) > 0 or step.get("prepend_scheme", "never") != "never" or step.get("add_prefix_space")
        for step in steps
        if step.get("type") in ("Strip", "Metaspace")
    )
    letters = {byte: f"<0x{byte:02X}>" for byte in range(256)}
    return Spelling(vocabulary.spelled(say), _all_bytes(vocabulary, letters), before=b" " if strips else b"")


def _gpt1(vocabulary: _Vocabulary, steps: list[dict[str, Any]]) -> Spelling:
    suffix = next(str(step["suffix"]) for step in steps if step["type"] == "BPEDecoder")
    return Spelling(vocabulary.spelled(lambda token: token.replace(suffix, " ").encode()), {}, after=b" ")


def _wordpiece(vocabulary: _Vocabulary, steps: list[dict[str, Any]]) -> Spelling:
    step = next(step for step in steps if step["type"] == "WordPiece")
    prefix, closing = str(step["prefix"]), [".", "?", "!", ","] if step["cleanup"] else []

    def say(token: str) -> bytes:
        alone = token.startswith(prefix) or token in closing
        return (token.removeprefix(prefix) if alone else f" {token}").encode()

    return Spelling(vocabulary.spelled(say), {}, before=b" ")


def _all_bytes(vocabulary: _Vocabulary, letters: Mapping[int, str]) -> dict[int, int]:
    found = {byte: vocabulary.learned[letter] for byte, letter in letters.items() if letter in vocabulary.learned}
    return found if len(found) == len(letters) else {}


_SPELLINGS: dict[str, Callable[[_Vocabulary, list[dict[str, Any]]], Spelling]] = {
    "ByteLevel": _byte_level,
    "ByteFallback": _byte_fallback,
    "Metaspace": _byte_fallback,
    "BPEDecoder": _gpt1,
    "WordPiece": _wordpiece,
}
