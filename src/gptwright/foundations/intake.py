"""What a stage uses of its files and what it does not, by reason: counted, and said by every stage in the same words.

A line that is malformed is refused where it is read. A sound line that a stage can do nothing with, such as a prompt
longer than the context, is passed over: it must not end the work, nor go unnoticed.
"""

from collections import Counter
from collections.abc import Generator, Sized
from contextlib import contextmanager

from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say


class Reasons:
    """How many things met the same fate, by reason, each with the first place where it happened."""

    def __init__(self, fate: str) -> None:
        self.fate = fate
        self.counts = Counter[str]()
        self._first: dict[str, str] = {}

    def add(self, reason: str, where: str, count: int) -> None:
        if count:
            self.counts[reason] += count
            self._first.setdefault(reason, where)

    def __str__(self) -> str:
        """ "20 dropped (12 all tied, the first on line 3 of a.jsonl; 8 …)"; empty when there is none."""
        if not self.counts:
            return ""
        reasons = "; ".join(f"{count:,} {reason}{self._place(reason)}" for reason, count in self.counts.most_common())
        return f"{self.counts.total():,} {self.fate} ({reasons})"

    def _place(self, reason: str) -> str:
        return f", the first on {self._first[reason]}" if self._first[reason] else ""


class Intake:
    """Told of everything that `verb` drops or uses in part, with a reason that reads well behind a number."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.dropped, self.shortened = Reasons("dropped"), Reasons("cut")

    def drop(self, reason: str, where: str = "", count: int = 1) -> None:
        """One or more are not used."""
        self.dropped.add(reason, where, count)

    def cut(self, reason: str, where: str = "") -> None:
        """One is used in part."""
        self.shortened.add(reason, where, 1)

    @contextmanager
    def dropping(self, where: str) -> Generator[None]:
        """Drops what the block refuses with an `InputError`: messages that the model's chat template cannot write."""
        try:
            yield
        except InputError as error:
            self.drop(f"that the model's chat template cannot write ({error.got})", where)

    def report(self, used: str) -> None:
        """One line: what is used, and what is not."""
        say("; ".join([f"{self.verb}: {used}", *self._fates()]))

    def require(self, kept: Sized, needed: str, remedy: str) -> None:
        """Raises `InputError`, with all reasons, when nothing was kept."""
        if not len(kept):
            raise InputError(needed, "; ".join(["none", *self._fates()]), remedy)

    def _fates(self) -> list[str]:
        return [text for text in (str(self.dropped), str(self.shortened)) if text]
