"""A web page's main text: what a person would read, one line a block, without menus, scripts and footers."""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

# fmt: off
SKIPPED = frozenset((
    "script", "style", "noscript", "template", "svg", "nav", "head", "iframe", "select", "button", "datalist", "object",
    "audio", "video", "canvas",
))
UNSEEN = frozenset(("script", "style", "template", "svg", "head", "iframe", "object", "audio", "video", "canvas"))
"""Of these, the ones whose text no reader sees: nothing is lost with it."""
FURNITURE = frozenset(("header", "footer"))
SECTIONS = frozenset((
    "article", "aside", "section", "main", "blockquote", "dialog", "details", "fieldset", "figure", "td", "th",
))
"""What has a header and footer of its own, by HTML's definition; the page's own are its menu and its small print."""
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "col", "colgroup", "dd", "details",
    "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav",
    "noframes", "ol", "optgroup", "option", "p", "plaintext", "pre", "search", "section", "summary", "table", "tbody",
    "td", "textarea", "tfoot", "th", "thead", "tr", "ul", "xmp",
))
"""What stands on lines of its own; every other element, known or not, is part of a sentence."""
PREFORMATTED = frozenset(("pre", "listing", "xmp", "plaintext", "textarea"))
# fmt: on
_SPACES = re.compile(r"[ \t\r\n\f]+")


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from a page, and how many characters that a reader sees were left out as menus and the like."""

    title: str
    text: str
    left_out: int


def read_page(html: str) -> Page:
    """Blocks of the page's body (or of its one `<main>`), separated by newlines; `<pre>` keeps its line breaks.

    The reading of a sign (`<ruby>`) stands in brackets behind it.
    """
    tree = LexborHTMLParser(html)
    title = tree.css_first("title")
    mains = tree.css("main")
    root = mains[0] if len(mains) == 1 else tree.body
    text, left_out = _text(root) if root is not None else ("", 0)
    if len(mains) == 1 and tree.body is not None:
        left_out = max(0, _seen(tree.body) - _seen(mains[0])) + left_out
    return Page(_SPACES.sub(" ", title.text()).strip() if title else "", text, left_out)


class _Blocks:
    """Collects words into blocks."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.words: list[str] = []

    def end(self) -> None:
        """Closes the block, its spaces and line breaks as single spaces."""
        self._add(_SPACES.sub(" ", "".join(self.words)).strip())
        self.words.clear()

    def preformatted(self, text: str) -> None:
        """A block of its own whose lines stay as they are."""
        self.end()
        self._add(text.strip("\n"))

    def _add(self, block: str) -> None:
        if block.strip():
            self.done.append(block)


def _text(root: LexborNode) -> tuple[str, int]:
    """The text below a node, and the characters left out.

    Walks with its own stack, since pages nest deeper than Python's calls may; a string on it is what ends an element:
    a word, or "" for the end of a block. Each node comes with whether it is inside a section.
    """
    blocks, left_out = _Blocks(), 0
    waiting: list[tuple[LexborNode | str, bool]] = [(root, False)]
    while waiting:
        node, in_section = waiting.pop()
        if isinstance(node, str):
            blocks.words.append(node) if node else blocks.end()
        elif node.is_text_node:
            blocks.words.append(node.text_content or "")
        elif node.tag in PREFORMATTED:
            blocks.preformatted(node.text())
        elif _is_skipped(node, in_section):
            left_out += 0 if node.tag in UNSEEN else _seen(node)
        elif node.is_element_node:
            _enter(node, blocks, waiting, in_section or node.tag in SECTIONS)
    return "\n".join(blocks.done), left_out


def _is_skipped(node: LexborNode, in_section: bool) -> bool:
    return node.tag in SKIPPED or (node.tag in FURNITURE and not in_section)


def _enter(node: LexborNode, blocks: _Blocks, waiting: list[tuple[LexborNode | str, bool]], in_section: bool) -> None:
    if node.tag in BLOCKS:
        blocks.end()
        waiting.append(("", in_section))
    elif node.tag == "rt" and not _has_brackets(node):
        blocks.words.append("(")
        waiting.append((")", in_section))
    waiting.extend((child, in_section) for child in reversed(list(node.iter(include_text=True))))


def _has_brackets(reading: LexborNode) -> bool:
    """Whether the page has brackets for readers that show no readings above the line."""
    before = reading.prev
    while before is not None and before.is_text_node and not (before.text_content or "").strip():
        before = before.prev
    return before is not None and before.tag == "rp"


def _seen(node: LexborNode) -> int:
    """About the characters that a person sees of a node; walks with its own stack, as `_text` does."""
    waiting, seen = [node], 0
    while waiting:
        each = waiting.pop()
        if each.is_text_node:
            seen += len(_SPACES.sub(" ", each.text_content or "").strip())
        elif each.tag not in UNSEEN:
            waiting.extend(each.iter(include_text=True))
    return seen
