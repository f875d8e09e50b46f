"""Texts that say the same again and again: in a row, by runs of words, by lines of a list, or all of it twice.

Whoever repeats himself can be packed: what cannot is not looked at word by word.
"""

import re
import zlib
from collections import Counter

from gptwright.text.filters.repetition import repetition
from gptwright.text.filters.words import Words, plain_words
from gptwright.text.lint.consecutive_repeats import longest_repeat

LOOPS, AT_THE_END = 0.5, 0.65
"""of a text's characters, or of those of its last quarter, in runs of ten words that were there before"""
SHORT = 200
"""characters below which no runs of words are looked for"""
LEAST_TWICE = 20
"""different words of a text that is there twice"""
LEAST_TIMES, LEAST_ITEM = 6, 8
"""times that an item of a list is there, where it is a loop, and its characters, those of Chinese for two"""
_IN_A_ROW, _MUCH = 0.25, 1_000
"""share of a text, and characters, from which on such a run inside it is a loop; one at its end always is"""
_PACKS, _END_PACKS = 0.42, 0.5
"""of their bytes at most what texts that repeat themselves take packed; English takes 0.45 and more"""
_WINDOW = 2**15
"""characters that packing looks back over"""
_NUMBERED = re.compile(r"^[\s\d.,:;)(\[\]*#>•·、。）（+-]+", re.MULTILINE)


def loop_in(text: str) -> str | None:
    """What shows that a text repeats itself; None where it does not."""
    if run := longest_repeat(text):
        at_the_end = not text[run.end :].strip(" \t\n.!?。！？…") or run.end + len(run.unit) >= len(text)
        if at_the_end or run.length > min(_IN_A_ROW * len(text), _MUCH):
            return f"{_shown(run.unit)} {run.times} times in a row"
    if len(text) < SHORT:
        return None
    end = text[-max(SHORT, len(text) // 4) :]
    packs = len(text) > _WINDOW or _packed(text) < _PACKS
    return (_in_all(text) if packs else None) or (_at_the_end(text, end) if _packed(end) < _END_PACKS else None)


def _in_all(text: str) -> str | None:
    words = plain_words(text)
    share = _repeated(words, len(text))
    if share > LOOPS:
        return f"{share:.0%} of it was there before"
    if _is_twice(words):
        return "all of it is there twice"
    if share := _repeated_lines(text):
        return f"{share:.0%} of it is the same lines"
    longest = max(text.split(), key=len, default="")
    if 2 * len(longest) > len(text) and _packed(longest) < 0.1:
        return "the same letters again and again"
    return None


def _at_the_end(text: str, end: str) -> str | None:
    share = _repeated(plain_words(end), len(end))
    return f"{share:.0%} of its end was there before" if share > AT_THE_END else None


def _repeated(words: Words, characters: int) -> float:
    return repetition(words, characters)["duplicate_10_grams"]


def _is_twice(words: Words) -> bool:
    half, hashes = len(words) // 2, words.hashes
    if half < LEAST_TWICE or len(words) != 2 * half or not (hashes[:half] == hashes[half:]).all():
        return False
    return len(set(hashes[:half].tolist())) >= LEAST_TWICE


def _repeated_lines(text: str) -> float:
    """The share of a text in lines with letters that are there often, but for their numbers; 0 below `LOOPS`."""
    lines = Counter(line.strip() for line in _NUMBERED.sub("", text).split("\n"))
    often = sum(len(line) * count for line, count in lines.items() if count >= LEAST_TIMES and _is_item(line))
    share = often / len(text)
    return share if share > LOOPS else 0


def _is_item(line: str) -> bool:
    return len(line) + sum(sign >= "\u2e80" for sign in line) >= LEAST_ITEM and any(sign.isalpha() for sign in line)


def _packed(text: str) -> float:
    data = text.encode("utf-8", "replace")
    return len(zlib.compress(data, 1)) / max(len(data), 1)


def _shown(unit: str) -> str:
    return f'"{" ".join(unit.split())[:40]}"'
