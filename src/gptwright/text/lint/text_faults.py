"""What can be wrong with one text: signs of templates and tokenizers, spoiled signs, too long, the same again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptwright.text.lint.consecutive_repeats import LEAST
from gptwright.text.lint.loops import loop_in
from gptwright.text.lint.other_encodings import other_encodings
from gptwright.text.lint.template_signs import template_signs, token_signs
from gptwright.text.mojibake import misread

TEMPLATE, TOKENS, SPOILED, CONTROL, LONG, LOOP = (
    "sign of a chat template", "sign of a tokenizer", "mojibake", "control character", "too long", "repeats itself",
)  # fmt: skip
_PLAIN = re.compile(r"[A-Za-z0-9 \t\n,.;!?'\"()-]*")
"""signs of which no fault is made; what is short, too, cannot be a loop"""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Fault:
    """What is wrong, at which character of the text, and what shows it."""

    kind: str
    place: int
    shown: str


def text_faults(text: str, most: int) -> Iterator[Fault]:
    """The faults of a text of which at most `most` characters are expected, those of a kind in order."""
    if len(text) < min(most, LEAST) and "??" not in text and _PLAIN.fullmatch(text):
        return
    yield from (Fault(TEMPLATE, place, shown) for place, shown in template_signs(text))
    yield from (Fault(TOKENS, place, shown) for place, shown in token_signs(text))
    yield from (Fault(SPOILED, each.place, f"{each.signs} for {each.was}") for each in misread(text))
    yield from (Fault(SPOILED, place, shown) for place, shown in other_encodings(text))
    yield from (Fault(CONTROL, match.start(), f"U+{ord(match[0]):04X}") for match in _CONTROL.finditer(text))
    if len(text) > most:
        yield Fault(LONG, 0, f"{len(text):,} characters")
    if (loop := loop_in(text[:most])) is not None:
        yield Fault(LOOP, 0, loop)
