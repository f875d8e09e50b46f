"""What became of the text: for every source, what came in, what was kept where, and why the rest was not.

Law: documents in = to train on + held out + dropped, and the same for characters with those cut out of kept texts.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gptwright.text.documents import Document
from gptwright.text.split import Split


@dataclass
class Account:
    """One source's figures. Characters are counted before cleaning (in, dropped) and after it (kept)."""

    documents_in: int = 0
    characters_in: int = 0
    documents: Counter[str] = field(default_factory=Counter[str])
    characters: Counter[str] = field(default_factory=Counter[str])
    bytes: Counter[str] = field(default_factory=Counter[str])
    dropped: Counter[str] = field(default_factory=Counter[str])
    dropped_characters: Counter[str] = field(default_factory=Counter[str])
    cut_lines: Counter[str] = field(default_factory=Counter[str])
    cut_characters: int = 0

    def record(self) -> dict[str, Any]:
        """The figures as they stand in sources.json."""
        kept = {"documents": self.documents, "characters": self.characters, "bytes": self.bytes}
        return {
            "documents_in": self.documents_in,
            "characters_in": self.characters_in,
            **{split: {name: counts[split] for name, counts in kept.items()} for split in ("train", "heldout")},
            "dropped": {
                reason: {"documents": count, "characters": self.dropped_characters[reason]}
                for reason, count in sorted(self.dropped.items())
            },
            "cut": {"characters": self.cut_characters, "lines": dict(sorted(self.cut_lines.items()))},
        }


class Ledger:
    """The accounts of all sources."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def of(self, source: str) -> Account:
        """The source's account, opened when it is first asked for."""
        return self.accounts.setdefault(source, Account())

    def skip(self, source: str, reason: str) -> None:
        """A record that is no document: it came in and was dropped."""
        self.drop(source, reason, 0)

    def drop(self, source: str, reason: str, characters: int) -> None:
        """A document of `characters` came in and is not kept."""
        account = self.of(source)
        account.documents_in += 1
        account.characters_in += characters
        account.dropped[reason] += 1
        account.dropped_characters[reason] += characters

    def keep(self, document: Document, split: Split, characters_in: int) -> None:
        """A document came in with `characters_in` and is kept as it now stands."""
        account = self.of(document.source)
        account.documents_in += 1
        account.characters_in += characters_in
        account.cut_characters += characters_in - len(document.text)
        self._count(document, split, 1)

    def move(self, document: Document, old: Split, new: Split) -> None:
        """A kept document changes sides."""
        self._count(document, old, -1)
        self._count(document, new, 1)

    def total(self) -> Account:
        """All sources together."""
        total = Account()
        for account in self.accounts.values():
            total.documents_in += account.documents_in
            total.characters_in += account.characters_in
            total.cut_characters += account.cut_characters
            for name in ("documents", "characters", "bytes", "dropped", "dropped_characters", "cut_lines"):
                getattr(total, name).update(getattr(account, name))
        return total

    def _count(self, document: Document, split: Split, sign: int) -> None:
        account = self.of(document.source)
        account.documents[split] += sign
        account.characters[split] += sign * len(document.text)
        account.bytes[split] += sign * len(document.text.encode())
