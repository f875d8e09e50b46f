"""Finding text that was seen before: whole documents by hash, lines by the number of documents that hold them."""

from collections.abc import Iterator
from hashlib import blake2b

MIN_LINE = 40
MAX_DOCUMENTS = 3


class ExactDuplicates:
    """Remembers every document it was shown; layout (spaces and line breaks) does not make a text another one."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self.duplicates = 0

    def is_new(self, text: str) -> bool:
        """True the first time a text is shown."""
        digest = blake2b(" ".join(text.split()).encode(), digest_size=16).digest()
        if digest in self._seen:
            self.duplicates += 1
            return False
        self._seen.add(digest)
        return True


class LineDuplicates:
    """Drops long lines that earlier documents already held `MAX_DOCUMENTS` times: notices, menus, running titles."""

    def __init__(self, min_line: int = MIN_LINE, max_documents: int = MAX_DOCUMENTS) -> None:
        self.min_line, self.max_documents = min_line, max_documents
        self._documents: dict[bytes, int] = {}
        self.dropped = 0

    def clean(self, text: str) -> str:
        """The text without such lines; it then counts as one more document that holds its long lines."""
        digests: set[bytes] = set()
        kept: list[str] = []
        lines = text.split("\n")
        for line, digest in self._with_digests(lines):
            if digest is not None:
                digests.add(digest)
                if self._documents.get(digest, 0) >= self.max_documents:
                    continue
            kept.append(line)
        for digest in digests:
            self._documents[digest] = self._documents.get(digest, 0) + 1
        self.dropped += len(lines) - len(kept)
        return text if len(kept) == len(lines) else "\n".join(kept).strip("\n")

    def _with_digests(self, lines: list[str]) -> Iterator[tuple[str, bytes | None]]:
        for line in lines:
            bare = line.strip()
            is_long = len(bare) >= self.min_line
            yield line, blake2b(bare.encode(), digest_size=8).digest() if is_long else None
