"""A page within bounds that its parser can bear: what it costs grows with its size, whatever it nests.

A parser searches the open elements for each tag, and opens `<b>` again in each paragraph while it is not closed: some
kilobytes of tags can take minutes and gigabytes. So elements below `DEPTH` are read as if they had no tags, which is
about where browsers stop too, and a page that opens inline elements without end loses their tags. No text is lost.
"""

import re
from collections import Counter

DEPTH = 512
MOST = 4_000_000
"""elements that are open at once, times the tags of a page: what a parser may go over or open again"""
LONG = 2**16
"""characters of a tag that are kept: a parser compares each attribute with all others of its tag"""
# fmt: off
INLINE = frozenset(("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"))
VOID = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "keygen", "link", "meta", "param", "source", "track",
    "wbr",
))
CLOSED_BY_THE_NEXT = frozenset((
    "dd", "dt", "li", "option", "optgroup", "p", "rb", "rp", "rt", "rtc", "tbody", "td", "tfoot", "th", "thead", "tr",
))
# fmt: on
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_LEAF = re.compile(r"<([a-zA-Z][^\s/<>]*)(?:\s[^<>]*)?>[^<]*</\1>")
_LONG_TAG = re.compile(rf"(<[a-zA-Z][^<>]{{{LONG - 2}}})[^<>]+")
_INLINE_TAG = re.compile(rf"</?(?:{'|'.join(sorted(INLINE))})(?=[\s/>])[^>]*>?", re.IGNORECASE)


def bounded(html: str) -> str:
    """The page, or one with the same text and fewer tags."""
    if len(html) > LONG and max(map(len, html.split("<"))) >= LONG:
        html = _LONG_TAG.sub(r"\1", html)
    tags = html.count("<")
    if (tags - html.count("</")) * tags <= MOST:
        return html
    # An element with nothing but text in it is closed at once, and most are such.
    bare = _LEAF.sub("", html)
    if _openings(bare) * tags <= MOST:
        return html
    deep, inline = _measured(bare)
    if deep:
        html = _without(html, _measured(html)[0])
    return _INLINE_TAG.sub("", html) if inline * tags > MOST else html


def _openings(html: str) -> int:
    """The tags that open an element; no more can be open at once."""
    return html.count("<") - html.count("</")


def _measured(html: str) -> tuple[list[re.Match[str]], int]:
    """The tags that begin elements below `DEPTH`, and the most inline elements that are open at once."""
    deep: list[re.Match[str]] = []
    stack: list[str] = []
    open_now: Counter[str] = Counter()
    inline = most = 0
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        if tag[1]:
            inline = max(0, inline - (name in INLINE))
            _close(name, stack, open_now)
        elif name not in VOID and name not in CLOSED_BY_THE_NEXT:
            inline += name in INLINE
            most = max(most, inline)
            if len(stack) >= DEPTH:
                if html[html.find(">", tag.end()) - 1] != "/":  # drawings close their elements at once
                    deep.append(tag)
            else:
                stack.append(name)
                open_now[name] += 1
    return deep, most


def _close(name: str, stack: list[str], open_now: Counter[str]) -> None:
    """Closes the last element of the name, if one is open, and all that were opened in it."""
    while open_now[name]:
        last = stack.pop()
        open_now[last] -= 1
        if last == name:
            return


def _without(html: str, tags: list[re.Match[str]]) -> str:
    """The page without these tags; what is not inside of a sentence still ends a line."""
    pieces, at = list[str](), 0
    for tag in tags:
        if tag.start() < at:
            continue
        pieces += [html[at : tag.start()], "" if tag[2].lower() in INLINE else "<br>"]
        at = html.find(">", tag.end()) + 1 or len(html)
    return "".join(pieces) + html[at:]
