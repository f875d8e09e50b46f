"""What can be done with one file alone: reading, cleaning, cutting into sections, filtering, hashing.

A pure function of the file and the options, so that files can be scanned in any order and by any process.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gptwright.foundations.errors import InputError
from gptwright.text.clean import drop_boilerplate, normalise, texts_between_separators
from gptwright.text.decontaminate import Contamination
from gptwright.text.documents import Document
from gptwright.text.encoding_labels import Encoding
from gptwright.text.filters.presets import apply_filters
from gptwright.text.near_duplicates import Digest, minhash, shingles
from gptwright.text.read import Skip, label, read_file, source_name
from gptwright.text.split import sections

UNREADABLE = "cannot be read, or not to its end"
LINE_RULES = "lines that a filter takes out"
Read = Callable[[Path, Skip, Encoding | None], Iterator[Document]]


@dataclass(frozen=True)
class ScanOptions:
    """What the files are written in that do not show it, the names of filters, whether near-duplicates are looked for,
    the tests whose runs are, and whether files that cannot be read are passed over."""

    encoding: Encoding | None = None
    filters: tuple[str, ...] = ()
    near_duplicates: bool = False
    tests: Contamination | None = None
    skip_unreadable: bool = False


@dataclass(frozen=True)
class Scanned:
    """A section: the characters it came in with besides, by the reason of their loss; what a filter has against it;
    what finds texts like it; the runs that it shares with tests. `error` says why its file could not be read on."""

    document: Document
    cuts: Counter[str] = field(default_factory=Counter[str])
    cut_lines: Mapping[str, int] = field(default_factory=dict[str, int])
    reason: str | None = None
    digest: Digest | None = None
    shared: frozenset[int] = frozenset()
    error: str = ""


def scan_file(path: Path, options: ScanOptions, read: Read = read_file) -> Iterator[Scanned]:
    """The sections of a file in order, those too that are not to be kept.

    Raises `InputError` as `read_file` does; where unreadable files are to be passed over, that is the last section.
    """
    try:
        yield from _scan(path, options, read)
    except InputError as error:
        if not options.skip_unreadable:
            raise
        nothing = Document("", source_name(path), file=label(path))
        yield Scanned(nothing, reason=UNREADABLE, error=f"needed {error.needed}; got {error.got}")


def _scan(path: Path, options: ScanOptions, read: Read) -> Iterator[Scanned]:
    skipped: list[Scanned] = []

    def skip(source: str, reason: str) -> None:
        skipped.append(Scanned(Document("", source), reason=reason))

    for document in read(path, skip, options.encoding):
        yield from skipped
        skipped.clear()
        yield from map(partial(_judged, options=options), _sections(document))
    yield from skipped


def _sections(document: Document) -> Iterator[Scanned]:
    """The document made plain and cut; the first section has what was lost of it."""
    cuts = Counter(document.cut)
    text = count_cut(cuts, "layout", document.text, normalise(document.text))
    text = count_cut(cuts, "licences and page furniture", text, drop_boilerplate(text))
    texts = texts_between_separators(text)
    cuts["signs between texts"] += len(text) - sum(map(len, texts))
    title = " ".join(normalise(document.title).split())
    for part in [part for each in texts for part in sections(replace(document, text=each, title=title))]:
        yield Scanned(part, cuts)
        cuts = Counter[str]()


def _judged(section: Scanned, options: ScanOptions) -> Scanned:
    """With what the filters say, and the hashes of a section that they have nothing against."""
    document, text = section.document, section.document.text
    if not text.strip():
        return section
    if options.filters:
        verdict = apply_filters(text, options.filters)
        count_cut(section.cuts, LINE_RULES, text, verdict.text)
        section = replace(section, document=replace(document, text=verdict.text), cut_lines=verdict.cut_lines,
                          reason=verdict.reason)  # fmt: skip
        text = verdict.text
    if section.reason is not None:
        return section
    digest = minhash(shingles(text)) if options.near_duplicates else None
    return replace(section, digest=digest, shared=frozenset(options.tests.found(text) if options.tests else ()))


def count_cut(cuts: Counter[str], reason: str, before: str, after: str) -> str:
    """The text after a step, its loss counted."""
    cuts[reason] += len(before) - len(after)
    return after
