"""What the model wrote while it learned (the samples.md of pretrain)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True)
class Sample:
    """The texts written after a step."""

    step: int
    texts: tuple[str, ...]


def read_samples(markdown: str) -> list[Sample]:
    """Sections "## Step N", each with its texts as quotations."""
    _, *parts = re.split(r"^## Step (\d+)\s*$", markdown, flags=re.MULTILINE)
    sections = zip(parts[::2], parts[1::2], strict=True)
    return [Sample(int(step), tuple(re.findall(r"^> ?(.*)$", body, flags=re.MULTILINE))) for step, body in sections]


def first_middle_last(samples: Sequence[Sample]) -> list[Sample]:
    """At most three samples, spread over the run."""
    if len(samples) <= 3:
        return list(samples)
    return [samples[0], samples[len(samples) // 2], samples[-1]]


def split_openings(samples: Sequence[Sample]) -> list[list[tuple[str, str]]]:
    """Every text as (opening, continuation): the opening is what all steps were given, found as what they share."""
    count = min((len(sample.texts) for sample in samples), default=0)
    openings = [_shared([sample.texts[i] for sample in samples]) for i in range(count)]
    return [
        [(opening, text[len(opening) :]) for opening, text in zip(openings, sample.texts, strict=False)]
        for sample in samples
    ]


def _shared(texts: Sequence[str]) -> str:
    """The whole words that all texts begin with; nothing when there is only one text to tell from."""
    if len(texts) < 2:
        return ""
    same = takewhile(lambda words: len(set(words)) == 1, zip(*(text.split(" ") for text in texts), strict=False))
    return " ".join(words[0] for words in same)
