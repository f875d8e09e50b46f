"""explained.html: what prepare did with a corpus, in one file: what came in, what went and why, and examples."""

from dataclasses import dataclass

from gptwright.foundations.version import __version__
from gptwright.reporting.page import environment
from gptwright.text.accounting import Accounting, SourceStats
from gptwright.text.examples import Example, Examples


@dataclass(frozen=True)
class Loss:
    """Documents and characters that went for a reason (none of a cut), their share of what came in, and examples."""

    reason: str
    documents: int
    characters: int
    share: str
    examples: list[Example]


def explained_page(name: str, accounting: Accounting, examples: Examples) -> str:
    """The whole page. Every text is escaped: a document can say anything."""
    total = accounting.total()
    return environment().get_template("explained.html.j2").render(
        name=name,
        version=__version__,
        total=total,
        kept=total.documents.total(),
        kept_share=_share(total.documents.total(), total.documents_in),
        losses=_losses(total, examples),
        cuts=[(reason, count) for reason, count in total.cut_characters.most_common() if count > 0],
        lines=total.cut_lines.most_common(),
        sources=sorted(accounting.sources.items()),
        lengths=[(most // 2, most - 1, count, _share(count, examples.lengths.total()))
                 for most, count in sorted(examples.lengths.items())],
    )  # fmt: skip


def _losses(total: SourceStats, examples: Examples) -> list[Loss]:
    return [
        Loss(reason, count, total.dropped_characters[reason], _share(count, total.documents_in),
             examples.dropped.get(reason, []))
        for reason, count in total.dropped.most_common()
    ]  # fmt: skip


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.1%}"
