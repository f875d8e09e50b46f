"""The same signs many times in a row, "ha ha ha" or a sentence again and again, in any script, at any place of a text.

A sample of the text, every so many characters, is looked for a little further on; whatever goes round in a row has it
there again.
"""

from dataclasses import dataclass

LEAST, TIMES = 150, 8
"""characters, those of Chinese and the like for two, and times, of a row that is more than a cry or a laugh"""
_STEP, _SAMPLE, _FARTHEST = 60, 12, 300
_WIDE = "\u2e80"


@dataclass(frozen=True)
class Repeat:
    """A unit, where it is there first, and where the last one ends, which may be within a unit."""

    unit: str
    begin: int
    end: int

    @property
    def length(self) -> int:
        """Characters of all of them."""
        return self.end - self.begin

    @property
    def times(self) -> int:
        """How often the whole unit is there."""
        return self.length // len(self.unit)


def longest_repeat(text: str) -> Repeat | None:
    """The longest of a unit with letters; None where there is none of at least `LEAST` and `TIMES`."""
    longest, place = None, 0
    while place + _SAMPLE < len(text):
        again = text.find(text[place : place + _SAMPLE], place + 1, place + _SAMPLE + _FARTHEST)
        if again < 0:
            place += _STEP
            continue
        repeat = _around(text, place, again - place)
        if _is_loop(repeat) and (longest is None or repeat.length > longest.length):
            longest = repeat
        place = max(place + _STEP, repeat.end - _STEP)
    return longest


def _around(text: str, place: int, period: int) -> Repeat:
    """All around a place that is the same as what is a period behind."""
    unit = text[place : place + period]
    begin, end = place, place + period
    while text.startswith(unit, begin - period) and begin >= period:
        begin -= period
    while text.startswith(unit, end):
        end += period
    while begin and text[begin - 1] == text[begin - 1 + period]:
        begin -= 1
    while end < len(text) and text[end] == text[end - period]:
        end += 1
    return Repeat(text[begin : begin + period], begin, end)


def _is_loop(repeat: Repeat) -> bool:
    if repeat.times < TIMES or not any(sign.isalpha() for sign in repeat.unit):
        return False
    wide = sum(sign >= _WIDE for sign in repeat.unit)
    return repeat.length + repeat.times * wide >= LEAST
