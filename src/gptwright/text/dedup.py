"""Finding text that was seen before: whole documents by hash, lines by the number of documents that hold them."""

import re
from hashlib import blake2b
from pathlib import Path

import numpy as np

from gptwright.text.disk_table import DiskTable

MIN_LINE = 40
MAX_DOCUMENTS = 3
MIN_DOCUMENT = 20
MAX_CODE = 0.25
"""Of a document's lines; in a text with more of them a repeated line is not furniture but part of what it is."""
_CODE = re.compile(
    r"^(?:[ ]{2,}|\t)\S"  # indented
    r"|^[a-z\"'#/*@|-]|^[\w.-]+: |^(?:SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|WHERE|JOIN|GROUP|ORDER)\b"  # begins so
    r"|[{}<>=\\_$^]|\w\("  # has signs that prose has not
    r"|[\])]:?$|[;:({\[]$"  # ends so
)
"""Lines that may be of a program, a table or a record: what notices, menus and running titles do not look like."""


class ExactDuplicates:
    """Remembers every document it was shown; layout (spaces and line breaks) does not make a text another one."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self.duplicates = 0

    def is_new(self, text: str) -> bool:
        """True the first time a text is shown."""
        if self.has(text):
            self.duplicates += 1
            return False
        self._seen.add(_layout_free_digest(text))
        return True

    def has(self, text: str) -> bool:
        """Whether a text was shown."""
        return bool(self._seen) and _layout_free_digest(text) in self._seen


def _layout_free_digest(text: str) -> bytes:
    return blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


class LineDuplicates:
    """Drops long lines that earlier documents already held `MAX_DOCUMENTS` times: notices, menus, running titles.

    Only prose loses lines, and only while more of it stays than goes: programs share lines that they do not work
    without, and what is all made of shared lines is not furniture.
    """

    def __init__(
        self, min_line: int = MIN_LINE, max_documents: int = MAX_DOCUMENTS, folder: Path | None = None
    ) -> None:
        self.min_line, self.max_documents = min_line, max_documents
        self._documents = DiskTable(folder)
        self.dropped = 0

    def clean(self, text: str) -> str:
        """The text without such lines; it then counts as one more document that holds its long lines."""
        lines = text.split("\n")
        digests = [self._digest(line) for line in lines]
        different = list({each for each in digests if each is not None})
        keys = np.array(different, np.uint64)
        counts = np.maximum(self._documents.get(keys), 0)
        self._documents.put(keys, counts + np.int32(1))
        many = {digest for digest, count in zip(different, counts.tolist(), strict=True) if count >= self.max_documents}
        repeated = [digest in many for digest in digests]
        if not any(repeated) or _is_code(lines):
            return text
        kept = "\n".join(line for line, gone in zip(lines, repeated, strict=True) if not gone).strip("\n")
        if len(kept.strip()) < max(MIN_DOCUMENT, len(text) / 2):
            return text
        self.dropped += sum(repeated)
        return kept

    def _digest(self, line: str) -> int | None:
        bare = line.strip()
        if len(bare) < self.min_line or _CODE.search(line):
            return None
        return int.from_bytes(blake2b(bare.encode(), digest_size=8).digest(), "little") or 1


def _is_code(lines: list[str]) -> bool:
    written = [line for line in lines if line.strip()]
    return sum(bool(_CODE.search(line)) for line in written) > MAX_CODE * len(written)
