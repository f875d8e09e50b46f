"""A web page's main text: what a person would read, one line a block, without menus, scripts and footers."""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

# fmt: off
SKIPPED = frozenset((
    "script", "style", "noscript", "template", "svg", "nav", "header", "footer", "head", "iframe", "select", "button",
))
INLINE = frozenset((
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins", "kbd",
    "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
    "wbr",
))
# fmt: on
_SPACES = re.compile(r"[ \t\r\n\f]+")


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from a page."""

    title: str
    text: str


def read_page(html: str) -> Page:
    """Blocks of the page's body (or of its one `<main>`), separated by newlines; `<pre>` keeps its line breaks."""
    tree = LexborHTMLParser(html)
    title = tree.css_first("title")
    mains = tree.css("main")
    root = mains[0] if len(mains) == 1 else tree.body
    text = _text(root) if root is not None else ""
    return Page(_SPACES.sub(" ", title.text()).strip() if title else "", text)


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


def _text(root: LexborNode) -> str:
    """Walks with its own stack, since pages nest deeper than Python's calls may; None on it marks a block's end."""
    blocks = _Blocks()
    waiting: list[LexborNode | None] = [root]
    while waiting:
        node = waiting.pop()
        if node is None:
            blocks.end()
        elif node.is_text_node:
            blocks.words.append(node.text_content or "")
        elif node.tag == "pre":
            blocks.preformatted(node.text())
        elif node.is_element_node and node.tag not in SKIPPED:
            if node.tag not in INLINE:
                blocks.end()
                waiting.append(None)
            waiting.extend(reversed(list(node.iter(include_text=True))))
    return "\n".join(blocks.done)
