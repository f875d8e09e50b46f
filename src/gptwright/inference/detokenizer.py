"""Incremental detokenization of one response: tokens become text, which ends before a stop text.

A stop text may span several tokens, so text is held back while it could be the beginning of one.
"""

from gptwright.inference.sampling import Sampling
from gptwright.tokenizers.tokenizer import Tokenizer


class Detokenizer:
    """Call `feed` for every token until `stopped`, then `finish`. With `starts_text` false the response continues a
    text, and the space before its first word is kept; `begun` is what it begins with and what is not shown of it."""

    def __init__(self, tokenizer: Tokenizer, sampling: Sampling, *, starts_text: bool = True, begun: str = "") -> None:
        self.stopped = False
        """whether a stop id or a stop text came"""
        self.tokens = 0
        """number of tokens fed, the stop token included"""
        self.characters = 0
        """characters decoded so far, those held back included"""
        self._stop_ids = frozenset((*tokenizer.stop_ids, *sampling.stop_ids))
        self._characters = tokenizer.streaming_decoder(starts_text)
        self._stop_texts = StopTexts(sampling.stop)
        self._unshown = len(begun)

    @property
    def hit_stop_text(self) -> bool:
        """Whether a stop text ended the response. It is not part of the text."""
        return self._stop_texts.matched

    def feed(self, token: int) -> str:
        """The text that is certain once this token is known; "" for a stop id."""
        self.tokens += 1
        if token in self._stop_ids:
            self.stopped = True
            return ""
        return self._shown(self._characters(token))

    def finish(self) -> str:
        """The text that was held back and is no stop text, once no more tokens come."""
        if self._stop_texts.matched:
            return ""
        last = self._shown(self._characters.flush())
        return last if self._stop_texts.matched else last + self._stop_texts.rest()

    def _shown(self, text: str) -> str:
        text, self._unshown = text[self._unshown :], max(0, self._unshown - len(text))
        self.characters += len(text)
        shown = self._stop_texts.feed(text)
        self.stopped = self.stopped or self._stop_texts.matched
        return shown


class StopTexts:
    """Finds stop texts in a stream of text, and passes on what cannot belong to one."""

    def __init__(self, stop_texts: tuple[str, ...]) -> None:
        self.stop_texts = stop_texts
        self.matched = False
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that may be shown now. Sets `matched` once a stop text is complete, the first that is."""
        self._held += text
        found = [(at + len(stop), at) for stop in self.stop_texts if (at := self._held.find(stop)) >= 0]
        if found:
            self.matched = True
            return self._held[: min(found)[1]]
        keep = max((self._overlap(stop) for stop in self.stop_texts), default=0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def rest(self) -> str:
        """The text that is still held back."""
        return self._held

    def _overlap(self, stop: str) -> int:
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
