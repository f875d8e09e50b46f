"""Is a text English? Told by its commonest words, of which every fifth is one in any English text."""

import re

COMMON = frozenset(("the", "and", "of", "to", "a", "in", "is", "that", "it", "was", "he", "for", "on", "with", "as"))
LEAST_COMMON = 0.08


def looks_english(text: str) -> bool:
    """False too of a text without words."""
    words = re.findall(r"\w+", text.lower())
    return bool(words) and sum(word in COMMON for word in words) >= LEAST_COMMON * len(words)
