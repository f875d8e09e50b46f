"""A web page's main text: what a person would read, one line a block, without menus, scripts and footers."""

from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gptwright.text.furniture import (
    CONTAINERS,
    LARGEST,
    has_name_of_furniture,
    has_role_of_furniture,
    is_hidden,
)
from gptwright.text.page_bounds import bounded

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
PHRASES = frozenset((
    "abbr", "b", "cite", "code", "em", "font", "i", "kbd", "small", "span", "strong", "sub", "sup", "tt", "u", "var",
))
"""Parts of a sentence that are never left out: of elements in a page, about a third."""
PREFORMATTED = frozenset(("pre", "listing", "xmp", "plaintext", "textarea"))
# fmt: on
SELF_LINKS = ("¶", "#", "§", "🔗")
"""Signs beside a heading that link to itself."""
TEXT = "-text"
"""What the parser calls a piece of text."""
LIES = 8
"""As many names of a page may call a large part furniture; after that its names are not asked."""
_UNSEEN = ",".join(sorted(UNSEEN))


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from a page, and how many characters that a reader sees were left out as menus and the like."""

    title: str
    text: str
    left_out: int


def read_page(html: str) -> Page:
    """Blocks of the page's body (or of its one main part), separated by newlines; `<pre>` keeps its line breaks.

    The reading of a sign (`<ruby>`) stands in brackets behind it.
    """
    tree = LexborHTMLParser(bounded(html))
    title, body = _title(tree), tree.body
    mains = tree.css("main") or tree.css("[role=main]")
    root = mains[0] if len(mains) == 1 else body
    if root is None:
        return Page(title, "", 0)
    seen = _seen(body, body.css(_UNSEEN)) if body is not None and len(mains) == 1 else 0
    reading = _Reading(root)
    text, left_out = reading.text()
    return Page(title, text, left_out + max(0, seen - reading.seen))


def seen_of(html: str) -> tuple[str, int]:
    """A page's title, and about how many characters of it a person sees."""
    tree = LexborHTMLParser(bounded(html))
    return _title(tree), 0 if tree.body is None else _seen(tree.body, tree.body.css(_UNSEEN))


def _title(tree: LexborHTMLParser) -> str:
    title = tree.css_first("title")
    return _single_spaced(title.text()).strip() if title else ""


def _single_spaced(text: str) -> str:
    """With its spaces and line breaks as single spaces."""
    for sign in "\n\t\r\f":
        if sign in text:
            text = text.replace(sign, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


class _Blocks:
    """Collects words into blocks."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.words: list[str] = []

    def end(self) -> None:
        """Closes the block, its spaces and line breaks as single spaces."""
        if self.words:
            if block := _single_spaced("".join(self.words)).strip():
                self.done.append(block)
            self.words.clear()

    def preformatted(self, text: str) -> None:
        """A block of its own whose lines stay as they are."""
        self.end()
        if text and not text.isspace():
            self.done.append(text.strip("\n"))


class _Reading:
    """One walk over what stands below a node, out of which it first takes what no reader sees.

    It has its own stack, since pages nest deeper than Python's calls may: of the elements that are open, whether they
    stand inside a section, and what ends them: a word, "" for the end of a block, or nothing.
    """

    def __init__(self, root: LexborNode) -> None:
        self._root = root
        unseen = root.css(_UNSEEN)
        self.seen = _seen(root, unseen)
        """about the characters of all that a person sees"""
        for each in unseen:
            each.decompose()
        self._blocks = _Blocks()
        self._open: list[tuple[LexborNode, bool, str | None]] = []
        self._left_out = self._lies = 0

    def text(self) -> tuple[str, int]:
        """The text below the node, and the characters left out."""
        words, in_section = self._blocks.words, False
        node: LexborNode | None = self._root
        while node is not None or self._open:
            if node is None:
                node, in_section, ending = self._open.pop()
                if ending is not None:
                    words.append(ending) if ending else self._blocks.end()
            else:
                tag = node.tag
                if tag == TEXT:
                    text = node.text_content
                    if text and (words or not text.isspace()):  # a block begins with no space
                        words.append(text)
                elif tag in PREFORMATTED:
                    self._blocks.preformatted(node.text())
                elif tag in PHRASES or (not self._is_skipped(node, tag, in_section) and node.is_element_node):
                    self._open.append((node, in_section, self._beginning(node, tag)))
                    in_section = in_section or tag in SECTIONS
                    node = node.first_child
                    continue
            node = node.next if self._open else None
        return "\n".join(self._blocks.done), self._left_out

    def _beginning(self, node: LexborNode, tag: str | None) -> str | None:
        """What ends an element that begins here."""
        if tag in BLOCKS:
            self._blocks.end()
            return ""
        if tag == "rt" and not _has_brackets(node):
            self._blocks.words.append("(")
            return ")"
        return None

    def _is_skipped(self, node: LexborNode, tag: str | None, in_section: bool) -> bool:
        if tag == "a":
            return node.text(deep=False) in SELF_LINKS
        if tag in CONTAINERS:
            return self._is_called_furniture(node)
        if tag in SKIPPED or (tag in FURNITURE and not in_section):
            self._left_out += _size(node, deep=True)
            return True
        return False

    def _is_called_furniture(self, node: LexborNode) -> bool:
        attributes = node.attributes
        if not attributes or node.mem_id == self._root.mem_id:
            return False
        if is_hidden(attributes):
            return True
        by_role = has_role_of_furniture(attributes)
        if not by_role and (self._lies == LIES or not has_name_of_furniture(attributes)):
            return False
        seen = _size(node, deep=True)
        if not by_role and seen > LARGEST * self.seen:
            self._lies += 1
            return False
        self._left_out += seen
        return True


def _has_brackets(reading: LexborNode) -> bool:
    """Whether the page has brackets for readers that show no readings above the line."""
    before = reading.prev
    while before is not None and before.is_text_node and not (before.text_content or "").strip():
        before = before.prev
    return before is not None and before.tag == "rp"


def _seen(node: LexborNode, unseen: list[LexborNode]) -> int:
    """About the characters that a person sees of a node in which these are not seen."""
    return max(0, _size(node, deep=True) - sum(map(_size, unseen)))


def _size(node: LexborNode, *, deep: bool = False) -> int:
    return len(" ".join(node.text(deep=deep).split()))
