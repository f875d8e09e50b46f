"""prepare: read text of many kinds, clean it, drop duplicates, and put a share of it aside for measuring.

Leaves train.jsonl and heldout.jsonl, one document a line, and sources.json: per source what came in, what was kept,
and why the rest was dropped. The same input gives the same bytes.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gptwright.configs.prepare import MIN_CORPUS, Prepare, read_share
from gptwright.foundations.atomic_io import write_file, write_json, write_text
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, stage_file
from gptwright.foundations.workers import open_workers, require_engine
from gptwright.text.accounting import Accounting, SourceStats
from gptwright.text.accounting_lines import accounting_lines, dropped_documents, plural
from gptwright.text.chunked_reading import MOST_OPEN, read_in_chunks
from gptwright.text.code import licence_files
from gptwright.text.decontaminate import MOST_DOCUMENTS, Contamination
from gptwright.text.encoding_labels import Encoding, lookup_encoding
from gptwright.text.examples import Examples
from gptwright.text.file_labels import label
from gptwright.text.filters.threshold_file import SUFFIX, chosen_filter
from gptwright.text.find import OTHER_KIND, Found, find, resolve, summary
from gptwright.text.language import refuse_unknown
from gptwright.text.links import Links
from gptwright.text.masking import mask
from gptwright.text.near_duplicates import NearDuplicates
from gptwright.text.packages.cache import record_of
from gptwright.text.parts import Group, group_files, read_part, scan_group, scan_parts
from gptwright.text.pipeline import CleanedDocument, CleaningPipeline
from gptwright.text.quality_lesson import CLASSIFIER, QualityFigures, chosen_classifier, good_files
from gptwright.text.read import fingerprint, read_file
from gptwright.text.read_options import ReadOptions
from gptwright.text.scan import Scanned, ScanOptions, scan_file
from gptwright.text.split import Split, assign_split
from gptwright.text.split_writer import SplitWriter
from gptwright.text.subsample import BEYOND, subsample

PARTS = "parts"
_recorded = dict[Prepare, Found]()
"""what was found for the stage's record, until it is read: a server or folder may have changed since"""


def data_files(config: Prepare) -> list[Path]:
    """Every file the stage reads. Raises `InputError` when there are none."""
    return resolve(config.data, skip_unreadable=config.skip_unreadable)


def inputs(config: Prepare) -> dict[str, Path]:
    """The same files by name, or those of its share, for the stage's record; and those that say licences of programs,
    and that filters are made of."""
    found = find(config.data, skip_unreadable=config.skip_unreadable)
    _recorded[config] = found
    data = found.files
    data = list({each.path: None for group in _share(config, data) for each in group}) if config.share else data
    files = [path for path in data if not config.skip_unreadable or fingerprint(path)]
    rules = [Path(name) for name in config.filter if name.endswith(SUFFIX)]
    links = [config.links] if config.links else []
    vocabulary = [config.tokenizer / "tokenizer.json"] if config.tokenizer else []
    return {
        label(path): path
        for path in (
            *files,
            *licence_files(data, found.trees),
            *good_files(config.good, skip_unreadable=config.skip_unreadable),
            *rules,
            *links,
            *vocabulary,
            *config.against,
        )
    }


def run(config: Prepare, folder: StageFolder) -> dict[str, object]:
    """Writes both splits and sources.json, or, of a share, nothing but parts; returns the stage's metrics.

    Raises `InputError` when a file cannot be read or there is too little text.
    """
    require_engine(config.engine)
    found = _recorded.pop(config, None) or find(config.data, skip_unreadable=config.skip_unreadable)
    options, figures = _options(config, found)
    if config.share:
        return _read_share(config, folder, found, options)
    return _join(config, folder, found, options, figures)


def _join(
    config: Prepare, folder: StageFolder, found: Found, options: ScanOptions, figures: QualityFigures | None
) -> dict[str, object]:
    accounting, examples = Accounting(), _examples(config)

    def fill(train: Path, heldout: Path, dropped: Path | None) -> None:
        with (
            SplitWriter({"train": train, "heldout": heldout}, accounting, config.seed) as writer,
            _near_duplicates(config, folder) as near,
            _listed(dropped, examples),
        ):
            pipeline = CleaningPipeline(accounting, near, examples, folder.path)
            for text in _kept_before(config):
                pipeline.remember(text)
            for cleaned, split in _chosen(config, folder, found.files, pipeline, options):
                writer.add(cleaned, split)
            _note_clusters(examples, near)
        _refuse_small(config, accounting.total())
        writer.balance()
        _refuse_no_training_text(config, accounting.total())

    _write_splits(folder, fill, with_list=config.explain)
    if options.classifier is not None:
        options.classifier.save(folder / CLASSIFIER)
    manifest = _manifest(accounting, found, options, figures)
    changed = _changed(found, manifest["files"], folder.record["inputs"])
    write_json(folder / "sources.json", manifest | ({"changed_files": list(map(label, changed))} if changed else {}))
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    total = accounting.total()
    if examples is not None:
        _explain(folder / "explained.html", config, accounting, examples)
    for line in accounting_lines(total, accounting, found):
        say(f"prepare: {line}")
    if changed:
        say(f"prepare: changed while they were read: {summary(changed)}; stage.json has what they were before")
    return _metrics(total)


def _examples(config: Prepare) -> Examples | None:
    if not config.explain:
        return None
    if config.tokenizer is None:
        return Examples()
    from gptwright.tokenizers.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(config.tokenizer)
    return Examples(count_tokens=lambda text: len(tokenizer.encode(text)))


def _write_splits(folder: StageFolder, fill: Callable[[Path, Path, Path | None], None], with_list: bool) -> None:
    """Both splits, and the list of what went: all of them whole, or none."""
    train, heldout = folder / "train.jsonl", folder / "heldout.jsonl"

    def write(dropped: Path | None = None) -> None:
        write_file(train, lambda new: write_file(heldout, lambda new_heldout: fill(new, new_heldout, dropped)))

    if with_list:
        write_file(folder / "dropped.jsonl", write)
    else:
        write()


@contextmanager
def _listed(path: Path | None, examples: Examples | None) -> Generator[None]:
    """What goes meanwhile is listed in a file, where there is one."""
    if path is None or examples is None:
        yield
        return
    with path.open("w", encoding="utf-8", errors="backslashreplace") as examples.listed:  # for names that are no text
        yield
    examples.listed = None


def _note_clusters(examples: Examples | None, near: NearDuplicates | None) -> None:
    if examples is not None and near is not None:
        examples.note_clusters(near)


def _share(config: Prepare, files: list[Path]) -> list[Group]:
    """Every so many-th group of files, from the number of the share on."""
    number, count = read_share(config.share or "1/1")
    return list(group_files(files))[number - 1 :: count]


def _read_share(config: Prepare, folder: StageFolder, found: Found, options: ScanOptions) -> dict[str, object]:
    groups = _share(config, found.files)
    _parts(config, folder, groups, options)
    say(f"prepare: share {config.share}: {plural(len(groups), 'part')} in {config.parts}; without --share the command "
        "joins all")  # fmt: skip
    return {"parts": len(groups)}


def _options(config: Prepare, found: Found) -> tuple[ScanOptions, QualityFigures | None]:
    """What is asked of every file; where quality was learned for it, how well."""
    if config.language:
        refuse_unknown(config.language)
    plain = ScanOptions(
        reading=ReadOptions(
            encoding=_encoding(config),
            html=config.html,
            trees=found.trees,
            licence=config.licence,
            text_fields=config.text_field,
            skip_unreadable=config.skip_unreadable,
        ),
        languages=config.language,
        fix_mojibake=config.fix_mojibake,
    )
    filters = tuple(map(chosen_filter, config.filter))
    classifier, figures = chosen_classifier(config.good, found.files, filters, plain)
    if figures is not None:
        say(f"prepare: {figures}")
    links = Links(config.links) if config.links else None  # which good text need not be among
    options = replace(
        plain,
        reading=replace(plain.reading, links=links),
        filters=filters,
        near_duplicates=config.near_duplicates is not None,
        tests=_tests(config.decontaminate, config.task_data) if config.decontaminate else None,
        mask=config.mask,
        classifier=classifier,
    )
    return options, figures


def _tests(tasks: str, task_data: Path | None) -> Contamination:
    from gptwright.evaluation.harness.task_texts import task_texts  # loads pydantic

    return Contamination(task_texts(tasks, task_data))


def _kept_before(config: Prepare) -> Iterator[str]:
    """The texts that earlier runs kept, read line by line, and masked as the texts are that they are compared with."""
    for folder in config.against:
        for split in ("train", "heldout"):
            for document in read_file(stage_file(folder, f"{split}.jsonl", "prepare")):
                yield mask(document.text, config.mask)[0]


def _explain(path: Path, config: Prepare, accounting: Accounting, examples: Examples) -> None:
    from gptwright.reporting.explained_page import explained_page  # loads jinja2

    write_text(
        path,
        explained_page(", ".join(config.data), accounting, examples, config.tokenizer.name if config.tokenizer else ""),
    )


def _encoding(config: Prepare) -> Encoding | None:
    if config.encoding is None:
        return None
    if (found := lookup_encoding(config.encoding)) is None:
        raise ConfigError("the name of an encoding", f"'{config.encoding}'",
                          "The web's names are known, such as windows-1252, koi8-r, shift_jis and euc-kr.")  # fmt: skip
    return found


def _near_duplicates(config: Prepare, folder: StageFolder) -> AbstractContextManager[NearDuplicates | None]:
    return NearDuplicates(config.near_duplicates, folder.path) if config.near_duplicates else nullcontext()


def _chosen(
    config: Prepare, folder: StageFolder, files: list[Path], pipeline: CleaningPipeline, options: ScanOptions
) -> Iterator[tuple[CleanedDocument, Split]]:
    """The documents to keep and their splits: all, or as many as `max_characters` allows."""

    def split_of(cleaned: CleanedDocument) -> Split:
        return assign_split(cleaned.document, config.heldout_fraction, config.seed)

    def drop(cleaned: CleanedDocument) -> None:
        pipeline.drop(cleaned, BEYOND)

    if config.max_characters is None:
        sections = _sections(config, folder, files, options)
        if options.tests is not None:
            pipeline.take_out(options.tests, _phrases(sections))
        return ((cleaned, split_of(cleaned)) for each in sections for cleaned in pipeline.keep(each()))
    read = read_in_chunks if len(files) > MOST_OPEN else read_file
    streams = [pipeline.keep(scan_file(path, options, read)) for path in files]
    held = round(config.max_characters * config.heldout_fraction)
    return subsample(streams, {"train": config.max_characters - held, "heldout": held}, split_of, drop)


def _sections(
    config: Prepare, folder: StageFolder, files: list[Path], options: ScanOptions
) -> list[Callable[[], Iterator[Scanned]]]:
    """The sections of all files in order, to be asked for piece by piece; more than once where they are in parts."""
    groups = _share(config, files)
    alone = config.workers == 1 and config.engine == "processes"
    once = options.tests is None and config.signals is None
    if alone and once and config.parts is None and not (folder / PARTS).is_dir():
        return [partial(scan_group, group, options) for group in groups]
    return [partial(read_part, part) for part in _parts(config, folder, groups, options)]


def _parts(config: Prepare, folder: StageFolder, groups: list[Group], options: ScanOptions) -> list[Path]:
    parts = config.parts or folder / PARTS
    with open_workers(config.engine, config.workers, parts) as workers:
        return scan_parts(groups, options, parts, workers, config.signals)


def _phrases(sections: Iterable[Callable[[], Iterator[Scanned]]]) -> set[int]:
    """Runs that tests share with so many documents that they are no sign of a test."""
    shared = Counter(run for each in sections for section in each() for run in section.shared)
    return {run for run, documents in shared.items() if documents > MOST_DOCUMENTS}


def _refuse_small(config: Prepare, total: SourceStats) -> None:
    characters, documents = total.characters.total(), total.documents.total()
    names = ", ".join(config.data)
    if characters < MIN_CORPUS:
        raise InputError(f"a corpus of at least {MIN_CORPUS:,} characters after cleaning",
                         f"{characters:,} in {plural(documents, 'document')} from {names}; "
                         f"{dropped_documents(total) or 'none dropped'}",
                         "Add more text with --data; 'bundled' is always there.")  # fmt: skip
    if documents < 2:
        raise InputError("at least two documents, one to train on and one to hold out", f"one from {names}",
                         "Give more text, or leave out the field \"split\" so that it can be cut.")  # fmt: skip


def _refuse_no_training_text(config: Prepare, total: SourceStats) -> None:
    """What files hold out is not trained on, even where nothing else is there."""
    if not total.documents["train"]:
        held = f"{plural(total.documents['heldout'], 'document')}, all held out by their files"
        raise InputError(f"text to train on in {', '.join(config.data)}", held,
                         'Add text with --data, or correct the field "split".')  # fmt: skip


def _manifest(
    accounting: Accounting, found: Found, options: ScanOptions, figures: QualityFigures | None
) -> dict[str, Any]:
    tests = {"runs_of_tests": len(options.tests)} if options.tests else {}
    links = options.reading.links
    linked = {"links": {"kept": len(links), "refused": links.refused}} if links is not None else {}
    quality = {"quality": figures.as_dict()} if figures else {}
    unreadable = {"unreadable": accounting.unreadable} if accounting.unreadable else {}
    return (
        tests
        | linked
        | quality
        | unreadable
        | {
            "total": accounting.total().as_dict(),
            "sources": {name: stats.as_dict() for name, stats in accounting.sources.items()},
            **({"packages": packages} if (packages := _packages(found)) else {}),
            "files": [
                _file(f) | ({"encoding": accounting.encodings[label(f)]} if label(f) in accounting.encodings else {})
                for f in found.files
            ],
            "ignored_files": len(found.passed_over.get(OTHER_KIND, [])),
            "passed_over": {reason: [label(path) for path in paths] for reason, paths in found.passed_over.items()},
        }
    )


def _changed(found: Found, files: Sequence[Mapping[str, Any]], recorded: Mapping[str, str]) -> list[Path]:
    """The files that are no more what the stage's record says: what was read of them may be of before or after."""
    pairs = zip(found.files, files, strict=True)
    return [path for path, now in pairs if recorded.get(now["file"], now.get("sha256")) != now.get("sha256")]


def _packages(found: Found) -> list[Mapping[str, Any]]:
    """What is known of each package that files are of."""
    records = {record["package"]: record for path in found.files if (record := record_of(path))}
    return list(records.values())


def _file(path: Path) -> dict[str, Any]:
    """A file's name, size and hash; the name alone of one that cannot be read."""
    found = fingerprint(path)
    return {"file": label(path)} | ({} if found is None else {"bytes": found[0], "sha256": found[1]})


def _metrics(total: SourceStats) -> dict[str, Any]:
    return {
        "documents_in": total.documents_in,
        "characters_in": total.characters_in,
        "documents": total.documents.total(),
        "characters": total.characters.total(),
        "bytes": total.bytes.total(),
        "train_documents": total.documents["train"],
        "train_characters": total.characters["train"],
        "heldout_documents": total.documents["heldout"],
        "heldout_characters": total.characters["heldout"],
        "dropped_documents": total.dropped.total(),
        "dropped": dict(sorted(total.dropped.items())),
    }
