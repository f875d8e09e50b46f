"""Token healing: blanks at a prompt's end are written anew, as the beginning of the answer.

A vocabulary has tokens that reach over the end of a prompt: in running code a line's end and the indentation behind it
are one. A prompt that ends between them is one that the model never read. So its last blanks are taken back, and the
answer must begin with them, in whatever tokens; what is told of it begins behind them, and its tokens are counted
whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gptwright.tokenizers.token_bytes import TokenBytes


@dataclass(frozen=True)
class Healed:
    """A prompt without its last blanks, and these."""

    ids: Sequence[int]
    begun: bytes = b""


def heal(ids: Sequence[int], token_bytes: TokenBytes) -> Healed:
    """Takes back the tokens at the end that are blanks or end in some; at least one id stays.

    Where every token ends in a blank of its own, as GPT-1's do, nothing is taken back.
    """
    end, begun = len(ids), b""
    while end > 1 and not token_bytes.suffix and not begun.strip():
        said = token_bytes.by_id.get(ids[end - 1], b"")
        if not said[-1:].isspace() or not _is_text(said):
            break
        begun, end = said + begun, end - 1
    return Healed(ids[:end], begun)


def _is_text(said: bytes) -> bool:
    """Whether they are whole characters."""
    return said.decode(errors="ignore").encode() == said


class Beginnings:
    """Which tokens may begin a text, for one vocabulary."""

    def __init__(self, token_bytes: TokenBytes, vocab: int) -> None:
        self.token_bytes, self._vocab = token_bytes, vocab
        self.allowed = lru_cache(maxsize=256)(self._allowed)

    def after(self, text: bytes, token: int) -> bytes:
        """What of the text is still to come."""
        return text[len(self.token_bytes.by_id.get(token, b"")) :]

    def _allowed(self, text: bytes) -> NDArray[np.bool_]:
        """Tokens that are a beginning of the text, or begin with it."""
        allowed = np.zeros(self._vocab, np.bool_)
        for id, said in self.token_bytes.by_id.items():
            allowed[id] = bool(said) and (text.startswith(said) or said.startswith(text))
        return allowed


class BeginsWith:
    """Keeps one answer to its beginning."""

    def __init__(self, begun: bytes, beginnings: Beginnings) -> None:
        self._left, self._beginnings = begun, beginnings

    def accept(self, token: int) -> None:
        """The answer's next token, one that was allowed."""
        self._left = self._beginnings.after(self._left, token)

    def allowed(self, drafts: Sequence[int] = ()) -> list[NDArray[np.bool_] | None]:
        """Which ids may come next, and which behind each of the drafts; None where any may."""
        left, rows = self._left, list[NDArray[np.bool_] | None]()
        for draft in (None, *drafts):
            left = left if draft is None else self._beginnings.after(left, draft)
            rows.append(self._beginnings.allowed(left) if left else None)
        return rows
