"""Front matter: the fields between two rules (---) that many programs put before a page of Markdown."""

import re

_RULE = re.compile(r"---[ \t]*$")
_END = re.compile(r"(?:---|\.\.\.)[ \t]*$")
_FIELD = re.compile(r"[\w\"'][\w \"'./-]*:(?:[ \t]|$)")
_CONTINUED = re.compile(r"[ \t]+\S|-[ \t]|#|[\]}],?$|$")
MAX_LINES = 500


def without_front_matter(text: str) -> str:
    """The page without its front matter.

    That is nothing but fields, with their lists and continued lines: a rule before prose is not taken for it.
    """
    lines = text.split("\n", MAX_LINES)
    if len(lines) < 3 or not _RULE.match(lines[0].removeprefix("\ufeff").rstrip("\r")):
        return text
    for number, line in enumerate(lines[1:MAX_LINES], 1):
        line = line.rstrip("\r")
        if _END.match(line):
            # A blank line before the rule belongs to a page that is divided by rules.
            is_page = number == 1 or not lines[number - 1].strip()
            return text if is_page else "\n".join(lines[number + 1 :])
        is_first = number == 1
        if not _FIELD.match(line) and (is_first or not _CONTINUED.match(line)):
            return text
    return text
