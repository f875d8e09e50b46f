"""A batch that grows (Brown et al. 2020, App. B): small while the gradient is clear, full when it has become subtle."""

from bisect import bisect_right

from gptwright.foundations.errors import ConfigError


class BatchSizeSchedule:
    """Rows of every step: from `first`, linearly in the rows read so far, to `full`, reached after `over` rows.

    Rows are whole numbers, so the ramp is a staircase; it keeps where each stair begins, at most `full` of them.
    """

    def __init__(self, full: int, first: int | None = None, over: int = 0) -> None:
        """Without more than `full` every step has as many. Raises `ConfigError` when it would fall or has no row."""
        first = full if first is None else first
        if not 1 <= first <= full:
            raise ConfigError(f"a first step of 1 to {full} rows", f"{first}", "A batch may grow, not shrink.")
        self.full = full
        self._steps: list[int] = []
        self._read: list[int] = []
        self._rows: list[int] = []
        step, read, rise = 0, 0, full - first
        while read < over and rise:
            risen = read * rise // over
            self._stair(step, read, first + risen)
            lasts = -(-(-(-(risen + 1) * over // rise) - read) // (first + risen))
            step, read = step + lasts, read + lasts * (first + risen)
        self._stair(step, read, full)

    def rows(self, step: int) -> int:
        """Of the step."""
        return self._rows[self._at(step)]

    def before(self, step: int) -> int:
        """Rows that all steps before this one have read."""
        at = self._at(step)
        return self._read[at] + (step - self._steps[at]) * self._rows[at]

    def _stair(self, step: int, read: int, rows: int) -> None:
        self._steps.append(step)
        self._read.append(read)
        self._rows.append(rows)

    def _at(self, step: int) -> int:
        return bisect_right(self._steps, step) - 1
