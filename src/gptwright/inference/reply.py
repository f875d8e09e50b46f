"""The text of one answer as its tokens come: characters made whole, and cut off where it is to stop.

Stop texts may lie across token borders, so text is held back while it could be the beginning of one.
"""

from gptwright.inference.sampling import Sampling
from gptwright.tokenizers.tokenizer import Tokenizer


class Reply:
    """Feed it tokens until it has `stopped`, then `finish` it. With `begins` off the answer continues a text, and the
    space before its first word is kept."""

    def __init__(self, tokenizer: Tokenizer, sampling: Sampling, *, begins: bool = True) -> None:
        self.stopped = False
        """whether a stop id or a stop text came"""
        self.tokens = 0
        """that were fed, the last of a stop included"""
        self.written = 0
        """characters that they said, those held back included"""
        self._stop_ids = frozenset((*tokenizer.stop_ids, *sampling.stop_ids))
        self._characters = tokenizer.streaming_decoder(begins)
        self._stops = StopTexts(sampling.stop)

    @property
    def cut(self) -> bool:
        """Whether a stop text ended it, which is not shown."""
        return self._stops.met

    def feed(self, token: int) -> str:
        """The text that this token makes certain; "" for a stop id, which has none."""
        self.tokens += 1
        if token in self._stop_ids:
            self.stopped = True
            return ""
        return self._shown(self._characters(token))

    def finish(self) -> str:
        """What was held back and is no stop, once no more tokens come."""
        if self._stops.met:
            return ""
        last = self._shown(self._characters.flush())
        return last if self._stops.met else last + self._stops.rest()

    def _shown(self, text: str) -> str:
        self.written += len(text)
        shown = self._stops.feed(text)
        self.stopped = self.stopped or self._stops.met
        return shown


class StopTexts:
    """Feed it text as it comes; it gives out what is certain not to belong to a stop."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self.stops = stops
        self.met = False
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that may be shown now. `met` becomes true once a stop is complete; the one complete first counts."""
        self._held += text
        found = [(at + len(stop), at) for stop in self.stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.met = True
            return self._held[: min(found)[1]]
        keep = max((self._overlap(stop) for stop in self.stops), default=0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def rest(self) -> str:
        """What was held back and turned out to be plain text."""
        return self._held

    def _overlap(self, stop: str) -> int:
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
