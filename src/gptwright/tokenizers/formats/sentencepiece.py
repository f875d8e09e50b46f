"""sentencepiece's .model, in which LLaMA 1 and 2 were released: pieces with scores, in a Protocol Buffers message.

Only byte-pair models that leave the text as it is are read, as LLaMA's do; what another would do is refused by its
name. Of two neighbours whose union is a piece those with the best score are merged first, so every way to put a piece
together becomes a merge.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers import bytefallback
from gptwright.tokenizers.bpe_training import Merges
from gptwright.tokenizers.formats.folder import LARGEST
from gptwright.tokenizers.special_tokens import SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer

LONGEST = 256  # characters of a piece; sentencepiece's own limit is 16 by default
_NORMAL, _UNKNOWN, _CONTROL, _USER, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
_KINDS: dict[int | bytes, str] = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_NAMES = ((46, "<s>"), (47, "</s>"), (48, "<pad>"))  # bos, eos, pad: fields of the trainer's settings, usual names
_Field = tuple[int, int | bytes]
_Fields = dict[int, int | bytes]


@dataclass(frozen=True)
class _Piece:
    text: str
    score: float
    type: int


def read_sentencepiece(path: Path) -> Tokenizer:
    """Reads a .model. Raises `ArtifactError` when it is damaged or not of LLaMA's kind."""
    pieces, trainer, normalizer, denormalizer = _read(path)
    _check_settings(path, trainer, normalizer, denormalizer)
    vocab = {piece.text: i for i, piece in enumerate(pieces)}
    _check_pieces(path, pieces, vocab)
    special = [piece.text for piece in pieces if piece.type == _CONTROL]
    names = [_name(trainer.get(field), usual) for field, usual in _NAMES]
    bos, eos, pad = (name if name in special else None for name in names)
    eos = eos or bytefallback.UNKNOWN
    special_tokens = SpecialTokens(bos=bos, eos=eos, pad=pad or eos, stop=(eos,), chat_template=None)
    return bytefallback.build(vocab, _merges(pieces), special_tokens, special, spaced=bool(normalizer.get(3, 1)))


def _check_pieces(path: Path, pieces: list[_Piece], vocab: dict[str, int]) -> None:
    if len(vocab) < len(pieces) or not vocab.keys() >= {*bytefallback.BYTES, bytefallback.UNKNOWN}:
        raise _unlike(path, "each piece once, with <unk> and 256 bytes", "others")
    for piece in pieces:
        if piece.type == _USER:
            raise _unlike(path, "no symbols of its user's", f"{piece.text!r}, which is cut out of every text")
        if piece.type == _UNUSED and len(piece.text) == 1:
            raise _unlike(path, "no characters that are switched off", repr(piece.text))


def _check_settings(path: Path, trainer: _Fields, normalizer: _Fields, denormalizer: _Fields) -> None:
    """Raises `ArtifactError` for what would cut or change texts otherwise than is done here."""
    kind = _KINDS.get(trainer.get(3, 1), "another")
    asked = {
        f"type {kind}": kind != "bpe",
        "no byte_fallback": not trainer.get(35),
        "treat_whitespace_as_suffix": trainer.get(24),
        "a table of characters that it replaces": normalizer.get(2) or denormalizer.get(2),
        "remove_extra_whitespaces": normalizer.get(4, 1),
        "no escape_whitespaces": not normalizer.get(5, 1),
    }
    for got, there in asked.items():
        if there:
            raise _unlike(path, "byte pairs with byte fallback that leave texts as they are", got)


def _name(value: int | bytes | None, usual: str) -> str:
    """The name that a model gives to one of its special pieces."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) and value else usual


def _merges(pieces: list[_Piece]) -> Merges:
    """Best score first; among equals the earlier piece, as the reference converter orders them."""
    normal = {piece.text: piece for piece in pieces if piece.type == _NORMAL}
    place = {text: i for i, text in enumerate(normal)}
    merges: Merges = []
    for text in sorted(normal, key=lambda text: (-normal[text].score, place[text])):
        splits = [(text[:at], text[at:]) for at in range(1, len(text))]
        known = [(left, right) for left, right in splits if left in normal and right in normal]
        merges += sorted(known, key=lambda pair: (place[pair[0]], place[pair[1]]))
    return merges


def _read(path: Path) -> tuple[list[_Piece], _Fields, _Fields, _Fields]:
    """The pieces, and the last value of every field of the trainer's and both normalizers' settings."""
    if not path.is_file():
        raise ArtifactError(f"a sentencepiece model at {path}", "nothing there", "Correct the path.")
    if path.stat().st_size > LARGEST:
        raise _fault(path, f"at most {LARGEST >> 20} MiB", f"{path.stat().st_size:,} bytes")
    pieces: list[_Piece] = []
    settings: dict[int, _Fields] = {2: {}, 3: {}, 5: {}}
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1:
                pieces.append(_piece(dict(_fields(_bytes(value)))))
            elif number in settings:
                settings[number] = dict(_fields(_bytes(value)))
    except (ValueError, IndexError, struct.error) as error:
        raise _fault(path, "a sentencepiece model", f"something else ({error})") from error
    return pieces, settings[2], settings[3], settings[5]


def _piece(fields: dict[int, int | bytes]) -> _Piece:
    text = _bytes(fields.get(1, b"")).decode("utf-8")
    if not 0 < len(text) <= LONGEST:
        raise ValueError(f"a piece of {len(text)} characters")
    (score,) = struct.unpack("<f", _bytes(fields.get(2, bytes(4))))
    kind = fields.get(3, _NORMAL)
    if not isinstance(kind, int):
        raise ValueError("a piece whose type is no number")
    return _Piece(text, score, kind)


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in place of bytes")
    return value


def _fields(data: bytes) -> Iterator[_Field]:
    """The fields of one message: their numbers, and integers or bytes. Raises `ValueError` or `IndexError`."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of the unknown type {wire}")
        if at + size > len(data):
            raise ValueError(f"{size} bytes at offset {at} of {len(data)}")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError(f"a number without an end at offset {at}")


def _fault(path: Path, needed: str, got: str) -> ArtifactError:
    return ArtifactError(f"{needed} in {path}", got, "Download or copy the file again.")


def _unlike(path: Path, needed: str, got: str) -> ArtifactError:
    """The error for a sound file of another kind."""
    return ArtifactError(f"{needed} in {path}", got,
                         "Take the tokenizer.json that other tools have made of it.")  # fmt: skip
