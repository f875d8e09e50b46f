"""What can be wrong with one text: signs of a chat template, spoiled or lost signs, too long, the same again and
again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gptwright.text.filters.repetition import repetition
from gptwright.text.filters.words import plain_words
from gptwright.text.lint.mojibake import mojibake

TEMPLATE, SPOILED, CONTROL, LONG, LOOP = (
    "sign of a chat template", "mojibake", "control character", "too long", "repeats itself",
)  # fmt: skip
LOOPS = 0.5
"""of a text's characters in runs of ten words that were there before"""
SHORT = 200
"""characters below which nothing is looked for that repeats itself"""
_TEMPLATES = re.compile(
    r"<\|(?:im_start|im_end|im_sep|endoftext|end_of_text|begin_of_text|start_header_id|end_header_id|eot_id|eom_id"
    r"|user|assistant|system|end|pad|fim_prefix|fim_suffix|fim_middle)\|>"
    r"|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|<｜[A-Za-z▁_]+｜>|</s>|\[/?(?:SYSTEM_PROMPT|TOOL_CALLS)\]"
    r"|^#{2,3} ?(?:Human|Assistant|User|System|Instruction|Response|Input)\b ?:"
    r"|^(?:HUMAN|USER|ASSISTANT|GPT): |^(?:Human|User): (?=(?:.|\n)*?^(?:Assistant|AI|Bot): )",
    re.MULTILINE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Fault:
    """What is wrong, at which character of the text, and what shows it."""

    kind: str
    place: int
    shown: str


def text_faults(text: str, most: int) -> Iterator[Fault]:
    """The faults of a text of which at most `most` characters are expected, those of a kind in order."""
    yield from (Fault(TEMPLATE, match.start(), match[0].strip()) for match in _TEMPLATES.finditer(text))
    yield from (Fault(SPOILED, place, shown) for place, shown in mojibake(text))
    yield from (Fault(CONTROL, match.start(), f"U+{ord(match[0]):04X}") for match in _CONTROL.finditer(text))
    if len(text) > most:
        yield Fault(LONG, 0, f"{len(text):,} characters")
    if len(text) >= SHORT:
        share = repetition(plain_words(text[:most]), min(len(text), most))["duplicate_10_grams"]
        if share > LOOPS:
            yield Fault(LOOP, 0, f"{share:.0%} of it was there before")
