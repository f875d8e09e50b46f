"""Finding text that was seen before: whole documents by hash, lines by the number of documents that hold them."""

import re
from hashlib import blake2b
from pathlib import Path

import numpy as np

from gptwright.text.disk_set import DiskSet
from gptwright.text.disk_table import DiskTable

MIN_LINE = 40
MAX_DOCUMENTS = 3
MIN_DOCUMENT = 20
MAX_CODE = 0.25
"""Of a document's lines; in a text with more of them a repeated line is not furniture but part of what it is."""
_BEGINS_AS_CODE = re.compile(
    r"[ ]{2,}\S|\t\S"  # indented
    r"|[a-z\"'#/*@|-]|[\w.-]+: |(?:SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|WHERE|JOIN|GROUP|ORDER)\b"
)
_SIGN_OF_CODE = re.compile(r"[{}<>=\\_$^]")  # prose has none of them
_CALL = re.compile(r"\w\(")
_ENDS_AS_CODE = (")", "]", ";", ":", "(", "{", "[")


class ExactDuplicates:
    """Remembers every document it was shown, below `folder`; layout (spaces and line breaks) does not make a text
    another one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._seen = DiskSet(folder)
        self.duplicates = 0

    def is_new(self, text: str) -> bool:
        """True the first time a text is shown."""
        digest = _layout_free_digest(text)
        if digest in self._seen:
            self.duplicates += 1
            return False
        self._seen.add(digest)
        return True

    def has(self, text: str) -> bool:
        """Whether a text was shown."""
        return len(self._seen) > 0 and _layout_free_digest(text) in self._seen


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
        counts = self._documents.count(keys)
        many = {digest for digest, count in zip(different, counts.tolist(), strict=True) if count >= self.max_documents}
        repeated = [digest in many and not _may_be_code(line) for line, digest in zip(lines, digests, strict=True)]
        if not any(repeated) or _is_code(lines):
            return text
        kept = "\n".join(line for line, gone in zip(lines, repeated, strict=True) if not gone).strip("\n")
        if len(kept.strip()) < max(MIN_DOCUMENT, len(text) / 2):
            return text
        self.dropped += sum(repeated)
        return kept

    def _digest(self, line: str) -> int | None:
        bare = line.strip()
        if len(bare) < self.min_line:
            return None
        return int.from_bytes(blake2b(bare.encode(), digest_size=8).digest(), "little") or 1


def _may_be_code(line: str) -> bool:
    """Whether it may be of a program, a table or a record: what notices, menus and running titles do not look like."""
    return bool(
        _SIGN_OF_CODE.search(line)
        or line.endswith(_ENDS_AS_CODE)
        or _BEGINS_AS_CODE.match(line)
        or ("(" in line and _CALL.search(line))
    )


def _is_code(lines: list[str]) -> bool:
    written = [line for line in lines if line.strip()]
    return sum(map(_may_be_code, written)) > MAX_CODE * len(written)
