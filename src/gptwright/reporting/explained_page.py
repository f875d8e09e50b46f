"""explained.html: what prepare did with a corpus, in one file: what came in, what went and why, and examples."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from gptwright.foundations.version import __version__
from gptwright.reporting.page import environment
from gptwright.text.accounting import Accounting, SourceStats
from gptwright.text.examples import Example, Examples, KeptFigures

SIZES = ((1, 1), (2, 3), (4, 9), (10, 99), (100, 10**12))
"""of clusters: from, to"""


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


@dataclass(frozen=True)
class Loss:
    """Documents and characters that went for a reason (none of a cut), their share of what came in, and examples."""

    reason: str
    documents: int
    characters: int
    share: Share
    examples: list[Example]


def explained_page(name: str, accounting: Accounting, examples: Examples) -> str:
    """The whole page. Every text is escaped: a document can say anything."""
    total = accounting.total()
    return environment().get_template("explained.html.j2").render(
        name=name,
        version=__version__,
        total=total,
        kept=total.documents.total(),
        kept_share=_share(total.documents.total(), total.documents_in).text,
        losses=_losses(total, examples),
        cuts=[(reason, count) for reason, count in total.cut_characters.most_common() if count > 0],
        lines=total.cut_lines.most_common(),
        sources=sorted(accounting.sources.items()),
        lengths=[(most // 2, most - 1, count,
                  _share(count, examples.lengths.total(), max(examples.lengths.values())))
                 for most, count in _without_gaps(examples.lengths)],
        languages=_languages(examples.kept),
        steps=len(_without_gaps(examples.lengths)),
        clusters=examples.clusters,
        alike=sum(size * texts for size, texts in examples.cluster_sizes.items()),
        originals=examples.cluster_sizes.total(),
        sizes=[(least, most, sum(texts for size, texts in examples.cluster_sizes.items() if least <= size <= most))
               for least, most in SIZES],
    )  # fmt: skip


def _losses(total: SourceStats, examples: Examples) -> list[Loss]:
    return [
        Loss(reason, count, total.dropped_characters[reason],
             _share(count, total.documents_in, max(total.dropped.values())), examples.dropped.get(reason, []))
        for reason, count in total.dropped.most_common()
    ]  # fmt: skip


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
