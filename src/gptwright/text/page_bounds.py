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
CLOSED_BY_ITSELF = VOID | CLOSED_BY_THE_NEXT
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_NAME = re.compile(r"<(/?[a-zA-Z][^\s/>]*)")
_LONG_TAG = re.compile(rf"(<[a-zA-Z][^<>]{{{LONG - 2}}})[^<>]+")
_INLINE_TAG = re.compile(rf"</?(?:{'|'.join(sorted(INLINE))})(?=[\s/>])[^>]*>?", re.IGNORECASE)


def bounded(html: str) -> str:
    """The page, or one with the same text and fewer tags."""
    if _may_have_long_tags(html):
        html = _LONG_TAG.sub(r"\1", html)
    tags = html.count("<")
    if (tags - html.count("</")) * tags <= MOST or most_open(html) * tags <= MOST:
        return html
    deep, inline = _measured(html)
    if deep:
        html = _without(html, deep)
    return _INLINE_TAG.sub("", html) if inline * tags > MOST else html


def _may_have_long_tags(html: str) -> bool:
    """Whether there is half of `LONG` without the beginning of a tag: where the page is cut into halves, a long tag
    covers one."""
    half = LONG // 2
    return any(html.find("<", at, at + half) < 0 for at in range(0, len(html) - half + 1, half))


def most_open(html: str) -> int:
    """As many elements as are open at once, or more: one is taken for closed only where nothing else was opened in
    it."""
    stack, most = [""], 0
    for name in _NAME.findall(html):
        if name[0] == "/":
            if name[1:] == stack[-1]:
                stack.pop()
        elif name not in CLOSED_BY_ITSELF:
            stack.append(name)
            if len(stack) > most:
                most = len(stack)
    return most


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
        elif name not in CLOSED_BY_ITSELF:
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
