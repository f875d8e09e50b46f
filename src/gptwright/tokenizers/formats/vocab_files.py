"""Vocabularies as they were released: GPT-2's encoder.json and vocab.bpe, tiktoken's ranks, GPT-1's, BERT's vocab.txt.

`read_vocab` knows them by their names, sentencepiece's .model too. Files may come from anywhere, so each is checked
before anything is built from it.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers import bytelevel, gpt1, wordpiece
from gptwright.tokenizers.bpe_training import Merges
from gptwright.tokenizers.byte_unicode import BYTE_TO_UNICODE, bytes_to_unicode, unicode_to_bytes
from gptwright.tokenizers.formats.folder import LARGEST, VOCAB_FILES
from gptwright.tokenizers.formats.sentencepiece import read_sentencepiece
from gptwright.tokenizers.special_tokens import END_OF_TEXT, SpecialTokens
from gptwright.tokenizers.tiktoken_backend import GPT2_PATTERN
from gptwright.tokenizers.tokenizer import Tokenizer

LONGEST = 1024  # bytes of a token; released vocabularies stay below 200
# How GPT-3.5's and GPT-4's vocabulary, cl100k_base, cuts words.
CL100K_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
PAIRS = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"), ("encoder_bpe_40000.json", "vocab_40000.bpe"))
"""a vocabulary and its merges lie side by side"""
TIKTOKEN: dict[str, tuple[str, dict[str, int]]] = {
    "r50k_base": (GPT2_PATTERN, {END_OF_TEXT: 50256}),
    "p50k_base": (GPT2_PATTERN, {END_OF_TEXT: 50256}),
    "cl100k_base": (
        CL100K_PATTERN,
        {END_OF_TEXT: 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260,
         "<|endofprompt|>": 100276},
    ),
}  # fmt: skip
"""how OpenAI's vocabularies split words, and the ids of their special tokens, by the names of their files"""


def vocab_files(source: Path) -> list[Path]:
    """The files of the vocabulary at a path, which is one of them or a folder with one; none where there is no such.

    A folder with a tokenizer.json or a config.json is opened as it is, and so has none.
    """
    if source.is_dir():
        whole = any((source / name).exists() for name in ("tokenizer.json", "config.json"))
        found = [] if whole else [file for name in VOCAB_FILES if (file := source / name).is_file()]
        return vocab_files(found[0]) if found else []
    for pair in PAIRS:
        if source.name in pair:
            return [source.with_name(name) for name in pair]
    return [source] if source.name == "vocab.txt" or source.suffix in (".model", ".tiktoken") else []


def read_vocab(files: Sequence[Path]) -> Tokenizer:
    """The tokenizer of the files that `vocab_files` found. Raises `ArtifactError` for what is missing or damaged."""
    file = files[0]
    if len(files) == 2:
        return read_gpt1(*files) if gpt1.END_OF_WORD in _read_text(file) else read_gpt2(*files)
    if file.suffix == ".model":
        return read_sentencepiece(file)
    if file.suffix != ".tiktoken":
        return read_bert(file)
    if file.stem not in TIKTOKEN:
        raise ArtifactError(f"the name of a known vocabulary, {', '.join(TIKTOKEN)}, which says how it splits words",
                            file.name, "Take its tokenizer.json, or give the file its first name.")  # fmt: skip
    return read_tiktoken(file, *TIKTOKEN[file.stem])


def read_gpt2(encoder: Path, merges: Path) -> Tokenizer:
    """GPT-2's encoder.json and vocab.bpe, or vocab.json and merges.txt as other tools call them."""
    vocab = _read_vocab(encoder)
    missing = [character for character in BYTE_TO_UNICODE.values() if character not in vocab]
    if missing:
        raise _fault(encoder, "a token for every byte", f"none for byte {unicode_to_bytes(missing[0])!r}")
    return bytelevel.build(vocab, _read_merges(merges, vocab), _ends_with(END_OF_TEXT, vocab, encoder))


def read_gpt1(vocab: Path, merges: Path) -> Tokenizer:
    """GPT-1's vocab.json and merges.txt (encoder_bpe_40000.json and vocab_40000.bpe as released).

    GPT-1 has no token for the end of a text; the unknown token, which hardly a text contains, stands in for it.
    """
    words = _read_vocab(vocab)
    return gpt1.build(words, _read_merges(merges, words), _ends_with(gpt1.UNKNOWN, words, vocab, begins=False))


def read_bert(vocab: Path) -> Tokenizer:
    """BERT's vocab.txt: one token a line.

    Whether capitals, accents and Chinese characters are kept stands in the tokenizer_config.json beside it; where none
    says, a vocabulary with capitals is cased.
    """
    lines = _read_text(vocab).split("\n")
    tokens = [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
    ids: dict[str, int] = {}
    for number, token in enumerate(tokens, 1):
        if token in ids:
            raise _fault(vocab, f"a new token on line {number}", f"{token!r} of line {ids[token] + 1}")
        ids[token] = number - 1
    for token in wordpiece.SPECIAL_TOKENS:
        if token not in ids:
            raise _fault(vocab, f"the token {token}", "a vocabulary without it")
    config = _read_config(vocab.parent / "tokenizer_config.json")
    cased = any(token != token.lower() for token in ids if not (token.startswith("[") and token.endswith("]")))
    return wordpiece.build(
        ids,
        lowercase=config.get("do_lower_case", not cased),
        strip_accents=config.get("strip_accents"),
        chinese=config.get("tokenize_chinese_chars", True),
    )


def read_tiktoken(ranks: Path, pattern: str = GPT2_PATTERN, special: Mapping[str, int] | None = None) -> Tokenizer:
    """A .tiktoken file: a token in base64 and its rank on each line; ranks are ids.

    `special` are the special tokens with their ids, the first of which ends texts; by default `<|endoftext|>` with the
    first id above all ranks, as in r50k_base. p50k_base has it at 50256; cl100k_base at 100257, with `CL100K_PATTERN`.
    """
    table = _read_ranks(ranks)
    ids_of_special = dict(special) if special else {END_OF_TEXT: max(table.values()) + 1}
    vocab = {bytes_to_unicode(token): rank for token, rank in table.items()}
    for token, i in ids_of_special.items():
        if token in vocab or i in table.values() or not 0 <= i <= 2 * len(table) + 1000:
            raise _fault(ranks, f"room for {token} at id {i}", "an id that is taken or far away")
    special_tokens = _ends_with(next(iter(ids_of_special)), ids_of_special, ranks)
    return bytelevel.build(
        vocab | ids_of_special, _merges_of(table, ranks), special_tokens, pattern=pattern, special=list(ids_of_special)
    )


def _ends_with(token: str, vocab: Mapping[str, int], path: Path, *, begins: bool = True) -> SpecialTokens:
    if token not in vocab:
        raise _fault(path, f"the token {token}", "a vocabulary without it")
    return SpecialTokens(bos=token if begins else None, eos=token, pad=token, stop=(token,), chat_template=None)


def _read_config(path: Path) -> dict[str, bool]:
    """The truth values of a tokenizer_config.json that say how a text is cleaned; none where there is no file."""
    table = json.loads(_read_text(path)) if path.is_file() else {}
    if not isinstance(table, dict):
        raise _fault(path, "a JSON object", type(table).__name__)
    found = {name: cast("dict[str, Any]", table).get(name)
             for name in ("do_lower_case", "strip_accents", "tokenize_chinese_chars")}  # fmt: skip
    for name, value in found.items():
        if not isinstance(value, bool | None):
            raise _fault(path, f"true or false as {name}", repr(value)[:40])
    return {name: value for name, value in found.items() if value is not None}


def _read_text(path: Path) -> str:
    """Raises `ArtifactError` when the file is missing, too large or not UTF-8."""
    if not path.is_file():
        raise ArtifactError(f"a vocabulary at {path}", "nothing there", "Correct the path.")
    if path.stat().st_size > LARGEST:
        raise _fault(path, f"at most {LARGEST >> 20} MiB", f"{path.stat().st_size:,} bytes")
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise _fault(path, "UTF-8", f"the byte {error.object[error.start]:#04x} at offset {error.start}") from error


def _read_vocab(path: Path) -> dict[str, int]:
    """A JSON table from tokens to ids, which are 0, 1, 2 and so on."""
    try:
        table = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise _fault(path, "JSON", f"something else ({error})") from error
    if not isinstance(table, dict) or not table:
        raise _fault(path, "a table of tokens and ids", type(table).__name__)
    vocab = cast("dict[str, Any]", table)
    seen = bytearray(len(vocab))
    for token, i in vocab.items():
        if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i < len(vocab) or seen[i]:
            raise _fault(path, f"ids from 0 to {len(vocab) - 1:,}, each once", f"{token!r}: {i!r:.40}")
        seen[i] = 1
    return vocab


def _read_merges(path: Path, vocab: Mapping[str, int]) -> Merges:
    """Two tokens of the vocabulary on each line, the earliest merge first; the first line may name a version."""
    merges: Merges = []
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if not line.strip() or (number == 1 and line.startswith("#version")):
            continue
        parts = line.rstrip("\r").split(" ")
        if len(parts) != 2:
            raise _fault(path, f"two tokens on line {number}", repr(line)[:60])
        left, right = parts
        for token in (left, right, left + right):
            if token not in vocab:
                raise _fault(path, f"tokens of the vocabulary on line {number}", repr(token)[:60])
        merges.append((left, right))
    return merges


def _read_ranks(path: Path) -> dict[bytes, int]:
    table: dict[bytes, int] = {}
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            data, place = base64.b64decode(token, validate=True), int(rank)
        except (ValueError, binascii.Error) as error:
            raise _fault(path, f"a token in base64 and its rank on line {number}", repr(line)[:60]) from error
        if data in table or not 0 < len(data) <= LONGEST:
            raise _fault(path, f"a new token of 1 to {LONGEST} bytes on line {number}", repr(data)[:60])
        table[data] = place
    ranks = sorted(table.values())
    if not ranks or ranks[0] < 0 or ranks[-1] > 2 * len(ranks) + 1000 or len(set(ranks)) < len(ranks):
        raise _fault(path, "ranks from 0 on, each once", f"{len(ranks):,} tokens with other ranks")
    missing = [byte for byte in range(256) if bytes([byte]) not in table]
    if missing:
        raise _fault(path, "a token for every byte", f"none for {bytes(missing[:1])!r}")
    return table


def _merges_of(ranks: Mapping[bytes, int], path: Path) -> Merges:
    """The two tokens that each token is merged from: what is left of it when all earlier merges are made."""
    merges: Merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _merged(token, ranks, rank)
            if len(parts) != 2:
                raise _fault(path, f"two earlier tokens that make {token!r:.60}", f"{len(parts)}")
            merges.append((bytes_to_unicode(parts[0]), bytes_to_unicode(parts[1])))
    return merges


def _merged(token: bytes, ranks: Mapping[bytes, int], below: int) -> list[bytes]:
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        unions = [ranks.get(left + right, below) for left, right in pairwise(parts)]
        best = min(unions)
        if best >= below:
            break
        at = unions.index(best)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _fault(path: Path, needed: str, got: str) -> ArtifactError:
    return ArtifactError(f"{needed} in {path}", got, "Download or copy the file again.")
