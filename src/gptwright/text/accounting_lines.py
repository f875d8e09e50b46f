"""What a person reads of the accounting: a line each for what was kept, what was not, and what was read otherwise."""

from collections.abc import Iterator
from pathlib import Path

from gptwright.text.accounting import Accounting, SourceStats
from gptwright.text.find import Found, summary


def accounting_lines(total: SourceStats, accounting: Accounting, found: Found) -> Iterator[str]:
    """What was kept, what was not, and what was read as something else than UTF-8."""
    yield (
        f"{plural(total.documents.total(), 'document')}, {total.bytes.total() / 1e6:.1f} MB; "
        f"{total.documents['train']:,} to train on, {total.documents['heldout']:,} held out"
    )
    yield f"{dropped_documents(total) or 'dropped nothing'}; {cut_characters(total) or 'cut nothing'}"
    if total.changed:
        yield ", ".join(f"{what} {count:,}" for what, count in total.changed.most_common())
    for what, shares in (("languages", total.languages), ("licences", total.licences)):
        if shares:
            each = (f"{name} {count / shares.total():.1%}" for name, count in shares.most_common())
            yield f"{what}: {', '.join(each)}"
    if found.passed_over:
        names = (f"{summary(paths)} {reason}" for reason, paths in found.passed_over.items())
        yield f"passed over, not read: {', '.join(names)}"
    if accounting.unreadable:
        yield f"could not read, or not whole: {summary([Path(file) for file in accounting.unreadable])}"
    if accounting.encodings:
        files: dict[str, list[Path]] = {}
        for file, name in accounting.encodings.items():
            files.setdefault(name, []).append(Path(file))
        yield "not UTF-8, read as " + ", ".join(f"{name}: {summary(paths)}" for name, paths in files.items())


def dropped_documents(total: SourceStats) -> str:
    """ "dropped 20 documents (12 duplicate, 8 too short)", or nothing."""
    if not total.dropped:
        return ""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in total.dropped.most_common())
    return f"dropped {plural(total.dropped.total(), 'document')} ({reasons})"


def cut_characters(total: SourceStats) -> str:
    """ "cut 1,200 characters (900 layout, 300 front matter)", or nothing."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in total.cut_characters.most_common() if count > 0)
    return f"cut {plural(total.cut_characters.total(), 'character')} ({reasons})" if reasons else ""


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
