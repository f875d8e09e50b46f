"""Token files: every document's tokens one after another, ready to be read at any place without loading the rest.

NAME.bin    the tokens, little-endian uint16 (uint32 for a vocabulary above 65,536), each document closed by the
            end-of-text token
NAME.idx    the end of every document, in tokens from the start, little-endian uint64
NAME.json   counts, the tokens' type, the tokenizer's hash, the text's UTF-8 bytes (bits per byte need them), and
            whether the documents are pairs to translate
"""

import dataclasses
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from gptwright.foundations.atomic_io import read_json, write_file, write_json
from gptwright.foundations.errors import ArtifactError, InputError

BATCH_DOCUMENTS = 256
BATCH_CHARACTERS = 1_000_000
COPIED = 2**20  # bytes at once
Encode = Callable[[list[str]], list[list[int]]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class TokenFileMeta:
    """What NAME.json holds. `bytes` counts the UTF-8 bytes of the text; end-of-text tokens stand for none.

    With `pairs`, document 2k is a text and document 2k + 1 its translation.
    """

    tokens: int
    documents: int
    dtype: str
    tokenizer_sha256: str
    bytes: int
    pairs: bool = False


def pack(
    documents: Iterable[str],
    encode: Encode,
    end_of_text: int,
    path_stem: Path,
    vocab: int,
    tokenizer_sha256: str,
    *,
    pairs: bool = False,
) -> TokenFileMeta:
    """Encodes documents in batches and writes the three files.

    `encode` maps texts to ids without special tokens. Raises `InputError` when there are no documents, `ArtifactError`
    when an id is not below `vocab`, `ResourceError` when the disk is full.
    """
    dtype = "<u2" if vocab <= 2**16 else "<u4"

    def fill(file: BinaryIO) -> tuple[Integers, TokenFileMeta]:
        ends, text_bytes = array("Q"), 0
        for texts in _batches(documents):
            text_bytes += sum(len(text.encode()) for text in texts)
            for ids in encode(texts):
                _write(file, [*ids, end_of_text], dtype, vocab)
                ends.append((ends[-1] if ends else 0) + len(ids) + 1)
        if not ends:
            raise InputError(f"at least one document for {path_stem}", "none", "Give more text.")
        name = np.dtype(dtype).name
        return np.array(ends), TokenFileMeta(ends[-1], len(ends), name, tokenizer_sha256, text_bytes, pairs)

    return write_files(path_stem, fill)


def join(parts: Sequence[Path], path_stem: Path) -> TokenFileMeta:
    """Writes the documents of several token files of one vocabulary, named by their stems, one behind the other.

    Raises what `TokenFile.open` raises, and `ResourceError` when the disk is full.
    """

    def fill(file: BinaryIO) -> tuple[Integers, TokenFileMeta]:
        tokens, text_bytes, ends = 0, 0, list[Integers]()
        for stem in parts:
            part = TokenFile.open(stem)
            with file_of(stem, "bin").open("rb") as packed:
                shutil.copyfileobj(packed, file, COPIED)
            ends.append(part.documents + np.uint64(tokens))
            tokens, text_bytes = tokens + len(part), text_bytes + part.meta.bytes
        whole = np.concatenate(ends)
        first = TokenFile.open(parts[0]).meta
        return whole, dataclasses.replace(first, tokens=tokens, documents=len(whole), bytes=text_bytes)

    return write_files(path_stem, fill)


def write_files(path_stem: Path, fill: Callable[[BinaryIO], tuple[Integers, TokenFileMeta]]) -> TokenFileMeta:
    """Writes the three files; `fill` writes the tokens and says where documents end, and the figures.

    NAME.json comes last, so it is there only when all are.
    """
    filled = list[tuple[Integers, TokenFileMeta]]()

    def write(path: Path) -> None:
        with path.open("wb") as file:
            filled.append(fill(file))

    file_of(path_stem, "json").unlink(missing_ok=True)
    write_file(file_of(path_stem, "bin"), write)
    ends, meta = filled[-1]
    write_file(file_of(path_stem, "idx"), ends.astype("<u8").tofile)
    write_json(file_of(path_stem, "json"), dataclasses.asdict(meta))
    return meta


def rename(from_stem: Path, to_stem: Path) -> None:
    """Gives a token file's three files another name, NAME.json last."""
    for suffix in ("bin", "idx", "json"):
        file_of(from_stem, suffix).replace(file_of(to_stem, suffix))


class TokenFile:
    """Packed tokens on disk, read where asked. Made by `TokenFile.open`."""

    def __init__(self, tokens: Integers, documents: Integers, meta: TokenFileMeta) -> None:
        self._tokens = tokens
        self.documents = documents
        self.meta = meta

    @classmethod
    def open(cls, stem: Path) -> "TokenFile":
        """Raises `ArtifactError` when a file is missing or its size is not what NAME.json says."""
        table = read_json(file_of(stem, "json"))
        names = {field.name for field in dataclasses.fields(TokenFileMeta)}
        if not isinstance(table, dict) or cast("dict[str, Any]", table).keys() != names:
            raise ArtifactError(f"the figures of a token file in {file_of(stem, 'json')}", "something else", _AGAIN)
        meta = TokenFileMeta(**cast("dict[str, Any]", table))
        if meta.dtype not in ("uint16", "uint32"):
            raise ArtifactError(f"uint16 or uint32 tokens in {file_of(stem, 'json')}", str(meta.dtype), _AGAIN)
        tokens = _mapped(file_of(stem, "bin"), np.dtype(meta.dtype).newbyteorder("<"), meta.tokens)
        documents = _mapped(file_of(stem, "idx"), np.dtype("<u8"), meta.documents)
        if int(documents[-1]) != meta.tokens:
            raise ArtifactError(
                f"{file_of(stem, 'idx')} to end at {meta.tokens:,} tokens", f"{documents[-1]:,}", _AGAIN
            )
        return cls(tokens, documents, meta)

    def __len__(self) -> int:
        return self.meta.tokens

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The tokens of every document, its end-of-text token too."""
        return np.diff(self.documents.astype(np.int64), prepend=0)

    def greatest(self) -> int:
        """The greatest id in the file, which is read for it."""
        return int(self._tokens.max())

    def window(self, i: int, length: int) -> npt.NDArray[np.int64]:
        """The `length` tokens from position `i`, across documents. Raises `IndexError` outside the file."""
        if not 0 <= i <= i + length <= len(self):
            raise IndexError(f"tokens {i} to {i + length} of {len(self)}")
        return self._tokens[i : i + length].astype(np.int64)

    def document(self, k: int) -> npt.NDArray[np.int64]:
        """The tokens of document `k`, without its end-of-text token. Raises `IndexError` when there is none."""
        if not 0 <= k < len(self.documents):
            raise IndexError(f"document {k} of {len(self.documents)}")
        start = int(self.documents[k - 1]) if k else 0
        return self.window(start, int(self.documents[k]) - 1 - start)

    def closed_document(self, k: int) -> bytes:
        """The bytes of document `k`'s tokens, its end-of-text token too."""
        start = int(self.documents[k - 1]) if k else 0
        return self._tokens[start : int(self.documents[k])].tobytes()


_AGAIN = "Delete the folder and run 'tokenize' again."


def file_of(stem: Path, suffix: str) -> Path:
    """One of the three files."""
    return stem.with_name(f"{stem.name}.{suffix}")


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    batch, characters = list[str](), 0
    for text in documents:
        batch.append(text)
        characters += len(text)
        if len(batch) == BATCH_DOCUMENTS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _write(file: BinaryIO, ids: list[int], dtype: str, vocab: int) -> None:
    tokens = np.array(ids, dtype=np.int64)
    if (most := tokens.max()) >= vocab or tokens.min() < 0:
        raise ArtifactError(f"token ids below the vocabulary's {vocab:,}", f"the id {most:,}",
                            "Use the tokenizer that belongs to this vocabulary.")  # fmt: skip
    file.write(tokens.astype(dtype).tobytes())


def _mapped(path: Path, dtype: np.dtype[Any], count: int) -> Integers:
    """A view of the file's numbers, after its size was checked."""
    needed = count * dtype.itemsize
    size = path.stat().st_size if path.is_file() else None
    if size != needed or count == 0:
        got = "nothing there" if size is None else f"{size:,} bytes"
        raise ArtifactError(f"{needed:,} bytes in {path}", got, _AGAIN)
    return np.memmap(path, dtype=dtype, mode="r")
