"""Stop texts that may lie across token borders: text is held back while it could be the beginning of one."""


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
