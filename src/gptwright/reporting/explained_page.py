"""explained.html: what prepare did with a corpus, in one file: what came in, what went and why, and examples."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from gptwright.foundations.html_file import source_hash
from gptwright.foundations.version import __version__
from gptwright.reporting.explained_words import CHINESE, ENGLISH, reason_said, said
from gptwright.reporting.page import environment
from gptwright.text.accounting import Accounting, SourceStats
from gptwright.text.examples import MOST, Example, Examples, KeptFigures
from gptwright.text.pipeline import EARLIER_RUN, NEAR_EARLIER_RUN, OF_TESTS
from gptwright.text.subsample import BEYOND

SIZES = ((1, 1), (2, 3), (4, 9), (10, 99), (100, 10**12))
"""of clusters: from, to"""
MOST_SOURCES = 12
"""shown at once, the largest"""
LATE = ("empty", "too short", EARLIER_RUN, "duplicate", "near-duplicate", NEAR_EARLIER_RUN, OF_TESTS, BEYOND)
"""reasons of what is only said beside all other documents, in their order"""


@dataclass(frozen=True)
class Share:
    """A part of a whole: as a person reads it, and as a bar of 100 at most is drawn, against the largest part."""

    text: str
    bar: float


@dataclass(frozen=True)
class Language:
    """What stays in a language or script: its share of the characters, the length that half of its documents are below,
    and how many are of each length, as bars (place, height) of 100 at most."""

    name: str
    figures: KeptFigures
    share: Share
    half_below: int
    bars: list[tuple[int, float]]

    @property
    def per_token(self) -> float:
        """Characters of a token."""
        return self.figures.characters / max(self.figures.tokens, 1)


@dataclass(frozen=True)
class Step:
    """What a step found and left; the documents that went as a share of all that came in, None where it shortens."""

    reason: str
    documents_in: int
    documents_out: int
    bytes_in: int
    bytes_out: int
    share: Share | None


@dataclass(frozen=True)
class Loss:
    """How many documents went for a reason, and examples."""

    reason: str
    documents: int
    examples: list[Example]


def explained_page(name: str, accounting: Accounting, examples: Examples, tokenizer: str = "") -> str:
    """The whole page, in English and Chinese. Every text is escaped: a document can say anything. `tokenizer` says
    whose tokens were counted, if any were."""
    total = accounting.total()
    lengths = _without_gaps(examples.lengths)
    script = (files("gptwright.reporting") / "explained.js").read_text(encoding="utf-8")
    return explained_environment().get_template("explained.html.j2").render(
        name=name,
        english=ENGLISH,
        chinese=CHINESE,
        script=script,
        script_hash=source_hash(script),
        version=__version__,
        total=total,
        kept=total.documents.total(),
        kept_share=_share(total.documents.total(), total.documents_in).text,
        steps=list(steps(total)),
        left_out=[(reason, count) for reason, count in sorted(total.cut_characters.items())
                  if count and reason not in total.cut_bytes],
        losses=[Loss(reason, count, examples.dropped.get(reason, [])) for reason, count in total.dropped.most_common()],
        most_examples=MOST,
        lines=total.cut_lines.most_common(),
        sources=sorted(accounting.sources.items(), key=lambda item: (-item[1].bytes_in, item[0])),
        most_sources=MOST_SOURCES,
        lengths=[(most // 2, most - 1, count,
                  _share(count, examples.lengths.total(), max(examples.lengths.values())))
                 for most, count in lengths],
        languages=_languages(examples.kept),
        tokenizer=tokenizer,
        bars=len(lengths),
        clusters=examples.clusters,
        alike=sum(size * texts for size, texts in examples.cluster_sizes.items()),
        originals=examples.cluster_sizes.total(),
        sizes=[(least, most, sum(texts for size, texts in examples.cluster_sizes.items() if least <= size <= most))
               for least, most in SIZES],
    )  # fmt: skip


def explained_environment() -> Environment:
    """Templates that say things in both languages."""
    found = environment()
    words: dict[str, Any] = {"said": said, "reason_said": reason_said}
    found.globals.update(words)
    found.filters["strong"] = Markup("<strong>{}</strong>").format
    return found


def steps(total: SourceStats) -> Iterator[Step]:
    """In the order that a document goes through them: what drops it, then what shortens those that stay."""
    documents, size = total.documents_in, total.bytes_in
    largest = max(total.dropped.values(), default=0)
    for reason, count in sorted(total.dropped.items(), key=lambda item: (_place(item[0]), -item[1], item[0])):
        left = size - total.dropped_bytes[reason]
        yield Step(reason, documents, documents - count, size, left, _share(count, total.documents_in, largest))
        documents, size = documents - count, left
    for reason, count in total.cut_bytes.most_common():
        if count:
            yield Step(reason, documents, documents, size, size - count, None)
            size -= count


def _place(reason: str) -> int:
    """Readers' reasons first, then languages, then filters, then what is said of a document beside others."""
    if reason in LATE:
        return 3 + LATE.index(reason)
    return 0 if ": " not in reason else 1 if reason.startswith("language: ") else 2


def _languages(kept: Mapping[str, KeptFigures]) -> list[Language]:
    """The one with most characters first; bars stand in the same place for the same length."""
    ranked = sorted(kept.items(), key=lambda item: (-item[1].characters, item[0]))
    characters = [figures.characters for _, figures in ranked]
    shortest = min((most for figures in kept.values() for most in figures.lengths), default=1).bit_length()
    return [
        Language(name, figures, _share(figures.characters, sum(characters), max(characters)), _half(figures.lengths),
                 [(most.bit_length() - shortest, round(100 * count / max(figures.lengths.values()), 1))
                  for most, count in sorted(figures.lengths.items())])
        for name, figures in ranked
    ]  # fmt: skip


def _half(lengths: Counter[int]) -> int:
    """The least length of those counted that half of all are below."""
    reached = accumulate(count for _, count in sorted(lengths.items()))
    return next(most for most, below in zip(sorted(lengths), reached, strict=True) if 2 * below >= lengths.total())


def _share(part: int, whole: int, largest: int = 0) -> Share:
    return Share(f"{part / max(whole, 1):.1%}", round(100 * part / max(largest or whole, 1), 1))


def _without_gaps(lengths: Counter[int]) -> list[tuple[int, int]]:
    """Every power of two from the shortest to the longest, those that nothing has too."""
    if not lengths:
        return []
    low, high = (limit.bit_length() for limit in (min(lengths), max(lengths)))
    return [(1 << bits - 1, lengths[1 << bits - 1]) for bits in range(low, high + 1)]
