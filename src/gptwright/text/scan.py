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
from gptwright.text.cuts import Cuts
from gptwright.text.decontaminate import Contamination
from gptwright.text.documents import Document, Skip
from gptwright.text.file_labels import label, source_name
from gptwright.text.filters.presets import Preset, apply_filters
from gptwright.text.filters.quality import QualityClassifier
from gptwright.text.filters.signal_table import SignalTable
from gptwright.text.filters.signals import SignalCounter
from gptwright.text.language import language_of
from gptwright.text.masking import mask
from gptwright.text.mojibake import mended
from gptwright.text.near_duplicates import Digest, minhash
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions
from gptwright.text.split import sections

UNREADABLE = "cannot be read, or not to its end"
LINE_RULES = "lines that a filter takes out"
MOJIBAKE, MASKED = "letters read in a wrong encoding", "masked"
Read = Callable[[Path, Skip, ReadOptions], Iterator[Document]]


@dataclass(frozen=True)
class ScanOptions:
    """How files are read; the languages that are kept, all if none; filters, and what they judge quality by; whether
    near-duplicates are looked for; the tests whose runs are; whether text that was read in a wrong encoding is mended;
    and what is masked (`masking.KINDS`)."""

    reading: ReadOptions = field(default_factory=ReadOptions)
    languages: tuple[str, ...] = ()
    filters: tuple[Preset, ...] = ()
    near_duplicates: bool = False
    tests: Contamination | None = None
    fix_mojibake: bool = False
    mask: tuple[str, ...] = ()
    classifier: QualityClassifier | None = None


@dataclass(frozen=True)
class Scanned:
    """A section: the characters it came in with besides, by the reason of their loss; what a filter has against it;
    what finds texts like it; the runs that it shares with tests; what was masked or mended in it, by kind. `error` says
    why its file could not be read on, and `times` how many records without text went for the same reason."""

    document: Document
    cuts: Cuts = field(default_factory=Cuts)
    cut_lines: Mapping[str, int] = field(default_factory=dict[str, int])
    reason: str | None = None
    digest: Digest | None = None
    shared: frozenset[int] = frozenset()
    changed: Mapping[str, int] = field(default_factory=dict[str, int])
    error: str = ""
    times: int = 1


class _Skipped:
    """The records of a file that are no documents, until they are taken: no more than one for each reason is held,
    however many there are. Of what cannot be read in a file the first is told."""

    def __init__(self, path: Path, mask: tuple[str, ...]) -> None:
        self._file, self._mask = label(path), mask
        self._rows = dict[tuple[str, str, str], Scanned]()
        self._is_told = False

    def __call__(self, source: str, reason: str, error: str = "") -> None:
        said, file = "", self._file if error else ""
        if error and not self._is_told:
            said, self._is_told = mask(error, self._mask)[0], True  # it may quote the file
        row = self._rows.get(key := (source, reason, file))
        self._rows[key] = (
            Scanned(Document("", source, file=file), reason=reason, error=said)
            if row is None
            else replace(row, times=row.times + 1, error=row.error or said)
        )

    def take(self) -> list[Scanned]:
        """Those since the last time, in the order of the first of each reason."""
        rows = list(self._rows.values())
        self._rows.clear()
        return rows


def scan_file(
    path: Path, options: ScanOptions, read: Read = read_file, table: SignalTable | None = None
) -> Iterator[Scanned]:
    """The sections of a file in order, those too that are not to be kept; with a table the signals of all go there.

    Raises `InputError` as `read_file` does; where what cannot be read is to be passed over, that is the last section.
    """
    counter = SignalCounter(options.classifier) if table is None else table
    skipped = _Skipped(path, options.mask)
    try:
        for document in read(path, skipped, options.reading):
            yield from skipped.take()
            scanned = _first_to_stay if document.readings else _scanned
            yield from scanned(document, options, counter)
    except InputError as error:
        if not options.reading.skip_unreadable:
            raise
        skipped(source_name(path), UNREADABLE, f"needed {error.needed}; got {error.got}")
    yield from skipped.take()


def _first_to_stay(document: Document, options: ScanOptions, counter: SignalCounter) -> list[Scanned]:
    """The sections of the first reading of which something is kept; of the first at all where none is."""
    first = list(_scanned(document, options, counter))
    if _stays(first):
        return first
    for read in document.readings:
        other = replace(read(), source=document.source, title=document.title, file=document.file)
        if _stays(sections := list(_scanned(other, options, counter))):
            return sections
    return first


def _stays(sections: list[Scanned]) -> bool:
    return any(section.reason is None and section.document.text.strip() for section in sections)


def _scanned(document: Document, options: ScanOptions, counter: SignalCounter) -> Iterator[Scanned]:
    return map(partial(_judged, options=options, counter=counter), _sections(document, options))


def _sections(document: Document, options: ScanOptions) -> Iterator[Scanned]:
    """The document made plain and cut; the first section has what was lost of it."""
    document = replace(document, readings=())
    cuts, changed, text = Cuts.by_reader(document.cut), Counter[str](), document.text
    if options.fix_mojibake:  # before the control characters go, which some letters were made into
        better, lines = mended(text)
        text = cuts.count(MOJIBAKE, text, better)
        changed[MOJIBAKE] += lines
    text = cuts.count("layout", text, normalise(text))
    text = cuts.count("licences and page furniture", text, drop_boilerplate(text))
    texts = texts_between_separators(text)
    cuts.count("signs between texts", text, "".join(texts))
    title = " ".join(normalise(document.title).split())
    for part in [part for each in texts for part in sections(replace(document, text=each, title=title))]:
        title, _ = mask(part.title, options.mask)  # before a table of signals has it
        yield Scanned(replace(part, title=title), cuts, changed=+changed)
        cuts, changed = Cuts(), Counter[str]()


def _judged(section: Scanned, options: ScanOptions, counter: SignalCounter) -> Scanned:
    """With what is against a section, and masked whatever that is: what goes is kept as an example. One that nothing is
    against is hashed."""
    section = _masked(_with_reason(section, options, counter), options.mask)
    text = section.document.text
    if section.reason is not None or not text.strip():
        return section
    digest = minhash(text) if options.near_duplicates else None
    return replace(section, digest=digest, shared=frozenset(options.tests.found(text) if options.tests else ()))


def _with_reason(section: Scanned, options: ScanOptions, counter: SignalCounter) -> Scanned:
    document, text = section.document, section.document.text
    if not text.strip():
        return section
    if options.languages:
        language = language_of(text)
        section = replace(section, document=(document := replace(document, language=language)))
        if language not in options.languages:
            return replace(section, reason=f"language: {language}")
    if options.filters or isinstance(counter, SignalTable):
        verdict = apply_filters(document, options.filters, counter)
        section.cuts.count(LINE_RULES, text, verdict.text)
        section = replace(section, document=replace(document, text=verdict.text), cut_lines=verdict.cut_lines,
                          reason=verdict.reason)  # fmt: skip
    return section


def _masked(section: Scanned, kinds: tuple[str, ...]) -> Scanned:
    document = section.document
    text, counts = mask(document.text, kinds)
    section.cuts.count(MASKED, document.text, text)
    changed = {**section.changed, **{f"{MASKED}: {kind}": count for kind, count in counts.items()}}
    return replace(section, document=replace(document, text=text), changed=changed)
