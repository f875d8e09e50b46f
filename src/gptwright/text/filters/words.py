"""A text's words, by one rule: where each begins and ends, and a hash of each, found by arrays over its characters.

The rule is a tokenizer's for English, as thresholds of papers were set with one. Between spaces, brackets, quotes and
the like at both ends are words of their own; so are commas, hyphens and slashes between letters; a run of dots is one
word, and what follows an apostrophe one; a full stop at the end is one too, but behind a single letter. An address
(://) is one word. A sign of scripts that are written without spaces (Han, kana) is a word.
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]
Codes = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.uint16]

SPACE, LETTER, SMALL, DIGIT, PREFIX, SUFFIX, ALONE, STOP, APOSTROPHE = (1 << bit for bit in range(9))
"""What a character may be. ALONE is always a word of its own, STOP is a full stop."""
PARTS_LETTERS, PARTS_WORDS, PARTS_NUMBERS = (1 << bit for bit in range(9, 12))
"""What is a word of its own between letters, between a letter or digit and a letter, between digits."""
INFIX = STOP | PARTS_LETTERS | PARTS_WORDS | PARTS_NUMBERS
_BOTH_ENDS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧—–%$£€¥¢₹₽₩"
_BEGIN_ONLY, _END_ONLY = "§=+", "."
_LETTERS, _WORDS, _NUMBERS, _APOSTROPHES = "-~,–—", "/:=<>", "-+*^", "'’"
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SMALLEST_TABLE = 2**16
_BEYOND = 0x20000
"""from here on there is Han alone"""


@dataclass(frozen=True)
class Words:
    """`begin`, `end` and `hashes` have a place for each of the W words; `kinds` has the flags of its characters (for a
    plain word, of its first). `codes` has the characters of the text."""

    begin: Places
    end: Places
    kinds: Flags
    codes: Codes

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def lengths(self) -> Places:
        """Characters of each word."""
        return self.end - self.begin

    @cached_property
    def hashes(self) -> Hashes:
        """Of each word, counted when they are asked for."""
        return _hashes(self.codes, self.begin, self.end)


def split_words(text: str) -> Words:
    """The words of a text. Two words are the same when their hashes are."""
    codes, flags = _characters(text)
    is_word = (flags & SPACE) == 0
    alone = _alone(codes, flags, is_word)
    starts = is_word.copy()
    starts[1:] &= ~is_word[:-1] | alone[1:] | alone[:-1]
    dot = codes == ord(".")
    starts[1:] &= ~(dot[1:] & dot[:-1] & is_word[:-1])
    starts[_behind_apostrophe(flags)] = True
    ends = is_word.copy()
    ends[:-1] &= ~is_word[1:] | starts[1:]
    begin, end = np.flatnonzero(starts), np.flatnonzero(ends) + 1
    kinds = np.bitwise_or.reduceat(flags, begin) if len(begin) else np.zeros(0, np.uint16)
    return Words(begin, end, kinds, codes)


@lru_cache(1)
def plain_words(text: str) -> Words:
    """Its words as two ways of writing share them: runs of letters and digits in small letters, no signs.

    Those of the last text are kept: near-duplicates and tests are looked for in the same.
    """
    low = text.lower()
    if len(low) != len(text):  # few capital letters have two small ones
        low = "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in text)
    codes, flags = _characters(low)
    is_word = (flags & (LETTER | DIGIT)) != 0
    alone = is_word & ((flags & ALONE) != 0)
    starts, ends = is_word.copy(), is_word.copy()
    starts[1:] &= ~is_word[:-1] | alone[1:] | alone[:-1]
    ends[:-1] &= ~is_word[1:] | starts[1:]
    begin, end = np.flatnonzero(starts), np.flatnonzero(ends) + 1
    return Words(begin, end, flags[begin], codes)


def _characters(text: str) -> tuple[Codes, Flags]:
    """The codes of its characters, and their flags."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return codes, _table().take(codes, mode="clip")


def _alone(codes: Codes, flags: Flags, is_word: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which characters are words of their own: at either end of a chunk between spaces, or between letters."""
    around = np.concatenate(([False], is_word, [False]))
    first, behind = _runs((flags & PREFIX) != 0)
    begins = ~around[first]
    last, ends = _runs(_may_end(codes, flags))
    closes = ~around[ends + 1]
    alone = _covered(len(codes), (first[begins], behind[begins]), (last[closes], ends[closes]))
    alone |= (flags & ALONE) != 0
    infix = np.flatnonzero((flags[1:-1] & INFIX) != 0) + 1
    infix = infix[_is_between(flags, infix)]
    addresses = _addresses(codes, is_word)
    alone[infix if addresses is None else infix[~addresses[infix]]] = True
    return alone & is_word


def _runs(signs: npt.NDArray[np.bool_]) -> tuple[Places, Places]:
    """Where each run of these signs begins, and the places behind it."""
    around = np.concatenate(([False], signs, [False]))
    edges = np.flatnonzero(around[1:] != around[:-1])
    return edges[::2], edges[1::2]


def _covered(size: int, *stretches: tuple[Places, Places]) -> npt.NDArray[np.bool_]:
    """What lies between places, each of which is there once among those it is given with."""
    change = np.zeros(size + 1, np.int8)
    for begin, end in stretches:
        change[begin] += 1
        change[end] -= 1
    return change[:-1].cumsum(dtype=np.int8) > 0


def _addresses(codes: Codes, is_word: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """What stands in a chunk that has :// in it, from there on; None where none has."""
    found = np.flatnonzero(codes == ord(":"))
    found = found[found < len(codes) - 2]
    found = found[(codes[found + 1] == ord("/")) & (codes[found + 2] == ord("/"))]
    if not len(found):
        return None
    first, behind = _runs(is_word)
    chunks, places = np.unique(np.searchsorted(first, found, "right") - 1, return_index=True)
    return _covered(len(codes), (found[places], behind[chunks]))


def _may_end(codes: Codes, flags: Flags) -> npt.NDArray[np.bool_]:
    """Which may be cut off at the end of a chunk; a full stop behind a single letter (U.S., e.g.) belongs to it."""
    may = (flags & SUFFIX) != 0
    stops = np.flatnonzero(codes == ord("."))
    before = np.concatenate(([SPACE, SPACE], flags))
    is_initial = ((before[stops + 1] & LETTER) != 0) & ((before[stops] & (LETTER | DIGIT)) == 0)
    may[stops[is_initial]] = False
    return may


def _is_between(flags: Flags, places: Places) -> npt.NDArray[np.bool_]:
    """Which of these signs, none the first or the last of the text, part what is before them from what is behind."""
    signs, before, after = flags[places], flags[places - 1], flags[places + 1]
    both = before & after
    letters = ((signs & PARTS_LETTERS) != 0) | (
        ((signs & STOP) != 0) & ((before & SMALL) != 0) & ((after & SMALL) == 0)
    )
    words = ((before & (LETTER | DIGIT)) != 0) & ((after & LETTER) != 0) & ((signs & PARTS_WORDS) != 0)
    return (((both & LETTER) != 0) & letters) | words | (((both & DIGIT) != 0) & ((signs & PARTS_NUMBERS) != 0))


def _behind_apostrophe(flags: Flags) -> Places:
    """Where apostrophes between letters are: a word begins with them."""
    places = np.flatnonzero((flags[1:-1] & APOSTROPHE) != 0) + 1
    return places[(flags[places - 1] & flags[places + 1] & LETTER) != 0]


def _hashes(codes: Codes, begin: Places, end: Places) -> Hashes:
    """A polynomial over each word's characters, made from sums over the whole text, with its bits mixed."""
    powers, inverses = _powers(len(codes))
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes.astype(np.uint64) * powers[: len(codes)], out=sums[1:])
    return mixed((sums[end] - sums[begin]) * inverses[begin])


def mixed(values: Hashes) -> Hashes:
    """The values with every bit depending on all of their bits."""
    values = (values ^ (values >> np.uint64(32))) * _MIX
    values = (values ^ (values >> np.uint64(32))) * _MIX
    return values ^ (values >> np.uint64(32))


_tables: list[tuple[Hashes, Hashes]] = []


def _powers(size: int) -> tuple[Hashes, Hashes]:
    """The first powers of the base and of its inverse, at least `size`, kept for the next text."""
    if not _tables or len(_tables[-1][0]) < size:
        length = max(_SMALLEST_TABLE, 1 << size.bit_length())
        _tables[:] = [tuple(_powers_of(base, length) for base in (_BASE, _INVERSE))]  # type: ignore[list-item]
    return _tables[-1]


def _powers_of(base: np.uint64, length: int) -> Hashes:
    factors = np.full(length, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


@cache
def _table() -> Flags:
    """The flags of every character."""
    table = np.zeros(_BEYOND + 1, np.uint16)
    everything = "".join(map(chr, range(_BEYOND + 1)))

    def mark(pattern: str, flag: int) -> None:
        for match in re.finditer(pattern, everything):
            table[match.start() : match.end()] |= flag

    mark(r"[\s\x00-\x1f\x7f-\x9f]+", SPACE)
    mark(r"[^\W\d_]+", LETTER)
    mark(r"\d+", DIGIT)
    mark(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000]+", ALONE)
    mark(r"[\u2190-\u23ff\u2500-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]+", ALONE)
    for signs, flag in (
        (_BOTH_ENDS, PREFIX | SUFFIX),
        (_BEGIN_ONLY, PREFIX),
        (_END_ONLY, SUFFIX),
        (".", STOP),
        (_APOSTROPHES, APOSTROPHE),
        (_LETTERS, PARTS_LETTERS),
        (_WORDS, PARTS_WORDS),
        (_NUMBERS, PARTS_NUMBERS),
    ):
        table[[ord(sign) for sign in signs]] |= flag
    is_capital = np.fromiter(map(str.isupper, everything), np.bool_, len(everything))
    table[((table & LETTER) != 0) & ~is_capital] |= SMALL
    return table
