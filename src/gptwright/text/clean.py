"""Making text plain: one Unicode form, one kind of line end, nothing that a reader does not see, no wrapping paper.

Pure functions; each may be applied again without changing anything.
"""

import re
import unicodedata
from itertools import pairwise
from statistics import median

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Zero-width joiners stay: they carry meaning in many scripts and in emoji.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u2060\ufeff]")
# Scripts of South-East Asia are written without spaces; a space without width is where a word ends.
_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
_ZERO_WIDTH = re.compile(f"(?<![{_NO_SPACES}\u200b])\u200b+(?![{_NO_SPACES}\u200b])|(?<=\u200b)\u200b+|\u200b+$", re.M)
_SURROGATES = re.compile("[\ud800-\udfff]")
_TRAILING = " \t\u00a0\u3000"
_BLANK_LINES = re.compile("\n{4,}")


def normalise(text: str) -> str:
    """NFC, \\n as newline, no control characters, none without width but between words of scripts that have no spaces,
    no trailing spaces, over two blank lines as one."""
    if not text.replace("\n", "").isprintable():  # no sign that these look for can be printed
        text = _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))
        text = _ZERO_WIDTH.sub("", _SURROGATES.sub("\ufffd", text))
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if any(f"{space}\n" in text for space in _TRAILING):
        text = "\n".join([line.rstrip(_TRAILING) for line in text.split("\n")])
    text = text.rstrip(_TRAILING)
    if "\n\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip("\n")


_START = re.compile(
    r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG.*(?:\n(?!\n).*)?\*\*\*$|^\*END\*THE SMALL PRINT.*$", re.M | re.I
)
_END = re.compile(
    r"^\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG.*$|^End of (?:the |this )?Project Gutenberg(?:'s|’s)? .*$",
    re.M | re.I,
)
_CREDITS = re.compile(r"\A\s*(?:E-text prepared by|Produced by|Transcribed by)\b.*(?:\n.+){0,6}\n\n+", re.I)
_LICENCE = re.compile(r"^(?:START: FULL LICENSE|THE FULL PROJECT GUTENBERG LICENSE)$", re.M)


def drop_boilerplate(text: str) -> str:
    """Without Project Gutenberg's header, footer and credits, page-number lines, and lines of web furniture."""
    return _drop_page_numbers(_drop_furniture(_drop_gutenberg(text))).strip("\n")


def _drop_gutenberg(text: str) -> str:
    if "gutenberg" not in text.casefold():
        return text
    # A header stands in the first half and a footer in the second, or it is the text talking about them.
    if start := _START.search(text, 0, max(30_000, len(text) // 2)):
        text = text[start.end() :]
    for pattern in (_END, _LICENCE):
        ends = [match.start() for match in pattern.finditer(text) if match.start() >= len(text) // 2]
        text = text[: ends[0]] if ends else text
    return _CREDITS.sub("", text, count=1)


_FURNITURE = re.compile(
    r"^[ \t]*(?:(?:skip|jump) to (?:main |page )?(?:content|navigation|search|footer)|toggle (?:navigation|menu|search)"
    r"|(?:accept|reject|allow|manage)(?: all)? cookies|cookie (?:settings|preferences|policy|notice)"
    r"|(?:we|this (?:web)?site) uses? cookies\b.{0,200}|(?:back|return) to top"
    r"|share (?:this )?on (?:facebook|twitter|x|linkedin)"
    r"|\[(?:pg\.?|page) ?\d{1,4}\]|page ?\d{1,4} of \d{1,4})[.!]?[ \t]*(?:\n|\Z)",
    re.MULTILINE | re.IGNORECASE,
)


def _drop_furniture(text: str) -> str:
    return _FURNITURE.sub("", text)


_NUMBER_LINE = re.compile(
    r"^[ \t]*(?:(\d{1,4})|[-–—] ?(\d{1,4}) ?[-–—]|(?:pg\.?|page) (\d{1,4}))[ \t]*$", re.IGNORECASE
)
_SENTENCE_ENDS = re.compile(r"[.!?…:;。！？：；*=_~-][\"'”’»)\]」』）]*$")


def _drop_page_numbers(text: str) -> str:
    """Numbers on lines of their own go only when they count up by one at the distance of pages and stand inside of
    sentences: chapters and verses have numbers too."""
    lines = text.split("\n")
    numbers = [
        (at, int(match[match.lastindex or 0])) for at, line in enumerate(lines) if (match := _NUMBER_LINE.match(line))
    ]
    if len(numbers) < 5 or any(later - earlier != 1 for (_, earlier), (_, later) in pairwise(numbers)):
        return text
    distance = median(later - earlier for (earlier, _), (later, _) in pairwise(numbers))
    if not 20 <= distance <= 80 or sum(_is_inside_a_sentence(lines, at) for at, _ in numbers) < len(numbers) / 3:
        return text
    pages = {at for at, _ in numbers}
    return "\n".join(line for at, line in enumerate(lines) if at not in pages)


def _is_inside_a_sentence(lines: list[str], at: int) -> bool:
    """Whether the text before a line does not end there and goes on behind it, in no capital letter."""
    before = next((line.strip() for line in reversed(lines[:at]) if line.strip()), "")
    behind = next((line.strip() for line in lines[at + 1 :] if line.strip()), "")
    return (
        bool(before and behind)
        and not _SENTENCE_ENDS.search(before)
        and behind[0].isalpha()
        and not behind[0].isupper()
    )


_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "<eos>", "[EOS]", "</s>")
_SEPARATOR = re.compile(rf"^[ \t]*(?:{'|'.join(map(re.escape, _ENDS))})[ \t]*(?:\n|\Z)", re.MULTILINE)
_GLUED = re.compile(
    r"^<\|end_?of_?text\|>|<\|end_?of_?text\|>$|(?<=[.!?…。！？”’」』])<\|end_?of_?text\|>", re.MULTILINE
)


def texts_between_separators(text: str) -> list[str]:
    """The texts of a file in which another model's end-of-text token stands on a line of its own, or where a
    text ends. Inside of a sentence, or beside what it closes (`<s>`), it is text itself.
    """
    if not any(end in text for end in _ENDS) or "<s>" in text:
        return [text]
    parts = [part for piece in _SEPARATOR.split(text) for part in _GLUED.split(piece)]
    return [part.strip("\n") for part in parts if part.strip()] or [""]
