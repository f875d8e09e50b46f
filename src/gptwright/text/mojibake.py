"""Text that was read in a wrong encoding once ("cafÃ©" for "café"), found and mended by ftfy.

A line at a time, and whole: of a line in which nothing is wrong but what may stand there with right, such as a quote
behind a capital, nothing is changed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

_QUOTES = "“”‘’„‚–—…"
_TELLING = "ÂÃâð"
"""what the first byte of an accent, a quote or an emoji looks like; other first bytes are letters of their own right"""
_SPACE = "Â "
_OF_CODE_PAGES = re.compile("[\x80-\u04ff\u2010-\u25ff\uf8ff\ufb01\ufb02\ufffd]")
"""what a single byte can be read as, beyond ASCII, by any encoding that ftfy knows"""


@dataclass(frozen=True)
class Misread:
    """A run of signs, where it begins in its text, and what it was."""

    place: int
    signs: str
    was: str


def mended(text: str) -> tuple[str, int]:
    """The text, and how many of its lines were mended."""
    if not has_code_page_signs(text):
        return text, 0
    mend, lines = _mender(), text.split("\n")
    better = [mend(line) for line in lines]
    changed = sum(one != other for one, other in zip(lines, better, strict=True))
    return ("\n".join(better), changed) if changed else (text, 0)


def misread(text: str) -> Iterator[Misread]:
    """What `mended` changes, run for run."""
    if not has_code_page_signs(text):
        return
    mend, place = _mender(), 0
    for line in text.split("\n"):
        if (better := mend(line)) != line:
            yield from (Misread(place + each.place, each.signs, each.was) for each in _runs(line, better))
        place += len(line) + 1


def has_code_page_signs(text: str) -> bool:
    """Whether a text has a sign that some encoding makes of a single byte, beyond ASCII."""
    return not text.isascii() and _OF_CODE_PAGES.search(text) is not None


@cache
def _mender() -> Callable[[str], str]:
    """What mends a line."""
    from ftfy import fix_encoding  # loads for 70 ms
    from ftfy.badness import is_bad

    def mend(line: str) -> str:
        if line.isascii() or not is_bad(line) or (better := fix_encoding(line)) == line:
            return line
        return line if all(_is_chance(line, run) for run in _runs(line, better)) else better

    return mend


def _is_chance(line: str, run: Misread) -> bool:
    """Whether it may stand there with right: one letter of another alphabet, a capital and a quote, a word of one
    letter; or is something else that was read wrongly, such as GBK, of which a letter or two happens to be UTF-8."""
    left = sum(sign in run.was for sign in run.signs)
    if run.signs == _SPACE or left > len(run.signs) / 2:
        return True
    if len(run.signs) != 2:
        return False
    behind_capital = line[max(run.place - 1, 0) : run.place].isupper()
    return run.signs[0] not in _TELLING or (run.signs[1] in _QUOTES and behind_capital)


def _runs(line: str, better: str) -> Iterator[Misread]:
    """Where two readings of a line differ: in runs of what is no ASCII, for that is the same in both."""
    here = there = 0
    while here < len(line):
        if line[here] == better[there : there + 1]:
            here, there = here + 1, there + 1
            continue
        begin, start = here, there
        here, there = _run_end(line, here), _run_end(better, there)
        if line[begin : here + 1] == _SPACE:  # ftfy makes one blank of both
            here += 1
        yield Misread(begin, line[begin:here], better[start:there])


def _run_end(line: str, place: int) -> int:
    match = _RUN.match(line, place)
    return match.end() if match else place + 1


_RUN = re.compile(r"[^\x00-\x7f]+")
