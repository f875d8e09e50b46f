"""Texts that say the same again and again: by runs of words, all of it twice, at the end, or without words at all."""

import zlib

from gptwright.text.filters.repetition import repetition
from gptwright.text.filters.words import Words, plain_words

LOOPS, AT_THE_END = 0.5, 0.65
"""of a text's characters, or of those of its last quarter, in runs of ten words that were there before"""
SHORT = 200
"""characters below which nothing is looked for"""
LEAST_TWICE = 20
"""different words of a text that is there twice"""
_PACKED = 0.1
"""of their bytes what runs of letters without a blank take packed, where they are a loop"""


def loop_in(text: str) -> str | None:
    """What shows that a text repeats itself; None where it does not."""
    if len(text) < SHORT:
        return None
    words = plain_words(text)
    share = _repeated(words, len(text))
    if share > LOOPS:
        return f"{share:.0%} of it was there before"
    if _is_twice(words):
        return "all of it is there twice"
    begin = len(text) - max(SHORT, len(text) // 4)
    if share > AT_THE_END / 5 and (share := _repeated(_from(words, begin), len(text) - begin)) > AT_THE_END:
        return f"{share:.0%} of its end was there before"
    longest = max(text.split(), key=len, default="").encode()
    if 2 * len(longest) > len(text.encode()) and len(zlib.compress(longest, 1)) < _PACKED * len(longest):
        return "the same letters again and again"
    return None


def _repeated(words: Words, characters: int) -> float:
    return repetition(words, characters)["duplicate_10_grams"]


def _is_twice(words: Words) -> bool:
    half, hashes = len(words) // 2, words.hashes
    if half < LEAST_TWICE or len(words) != 2 * half or not (hashes[:half] == hashes[half:]).all():
        return False
    return len(set(hashes[:half].tolist())) >= LEAST_TWICE


def _from(words: Words, place: int) -> Words:
    first = int(words.begin.searchsorted(place))
    return Words(words.begin[first:], words.end[first:], words.kinds[first:], words.hashes[first:])
