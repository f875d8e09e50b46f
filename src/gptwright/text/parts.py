"""Files scanned by several processes, and kept until the stage is done: a part is some megabytes of input, in order.

A part is called after its input's bytes and licences, the options and the version, and is there whole or not at all.
So whoever is stopped and begins again scans only what is missing, machines that see one folder fill it together, and
neither how many they are nor the moment of a stop changes a byte.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import zstandard

from gptwright.foundations.atomic_io import translate_os_errors, write_file
from gptwright.foundations.version import __version__
from gptwright.foundations.workers import Workers
from gptwright.text.compression import open_compressed, read_lines
from gptwright.text.cuts import Cuts
from gptwright.text.documents import Document
from gptwright.text.file_labels import origin
from gptwright.text.file_ranges import FileRange, ranges
from gptwright.text.filters.signal_table import SignalTable
from gptwright.text.read import outer_licence
from gptwright.text.scan import Scanned, ScanOptions, scan_file

PART = 8 * 2**20
"""bytes of input of a part, if it has more than one file or range of a file"""
LEVEL = 1
Group = tuple[FileRange, ...]


def scan_parts(
    groups: Sequence[Group], options: ScanOptions, folder: Path, workers: Workers, signals: Path | None = None
) -> list[Path]:
    """The parts of all groups in their order, those that are missing in `folder` scanned by `workers`, who look signals
    up in the tables in the folder `signals`, and leave there what they count.

    Raises `InputError` as `read_file` does, `ProcessLost` when a process dies, and `ResourceError` for a folder that
    cannot be written.
    """
    for each, option in ((folder, "--parts"), (signals, "--signals")):
        if each is not None:
            with translate_os_errors(each, option):
                each.mkdir(parents=True, exist_ok=True)
    return list(workers.map(partial(_scan_part, options=options, folder=folder, signals=signals), groups))


def read_part(path: Path) -> Iterator[Scanned]:
    """The sections of a part."""
    with open_compressed(path) as file:
        for line in read_lines(file, path):
            yield _scanned(json.loads(line))


def group_files(files: Sequence[Path]) -> Iterator[Group]:
    """Files and ranges of large ones in their order, as many as come to `PART` bytes."""
    group, size = list[FileRange](), 0
    for each in (each for path in files for each in ranges(path, PART)):
        if group and size + each.size > PART:
            yield tuple(group)
            group, size = [], 0
        group.append(each)
        size += each.size
    yield tuple(group)


def scan_group(group: Group, options: ScanOptions, table: SignalTable | None = None) -> Iterator[Scanned]:
    """The sections of a group in order, as `scan_file` gives them."""
    return (row for each in group for row in scan_file(each.path, options, each.read, table))


def _scan_part(group: Group, options: ScanOptions, folder: Path, signals: Path | None) -> Path:
    path = folder / f"{_identity(group, options)}.jsonl.zst"
    kept = signals / f"{_contents(group)}.parquet" if signals else None
    if not path.is_file() or (kept and not kept.is_file()):
        table = SignalTable(kept, options.classifier) if kept else None
        own = path.with_name(f"{path.name}.{uuid4().hex}")  # on a cluster one that was given up may still write
        write_file(own, lambda new: _write(new, scan_group(group, options, table)))
        own.replace(path)
        if table:
            table.save()
    return path


def _contents(group: Group) -> str:
    """The same wherever the files lie."""
    return hashlib.sha256(json.dumps([each.fingerprint() for each in group]).encode()).hexdigest()


def _identity(group: Group, options: ScanOptions) -> str:
    hashes = [each.sha256 if each else None for each in (options.tests, options.classifier)]
    asked = [__version__, hashes, repr(replace(options, tests=None, classifier=None))]
    licences = [outer_licence(each.path, options.reading) for each in group]  # of files that are not in the group
    named = [(_hex(each.path), each.begin, each.fingerprint()) for each in group]
    return hashlib.sha256(json.dumps([asked, named, licences]).encode()).hexdigest()


def _hex(path: Path) -> str:
    """Some systems allow file names that are not text."""
    return origin(path).encode("utf-8", "surrogateescape").hex()


def _write(path: Path, rows: Iterator[Scanned]) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor(LEVEL).stream_writer(file) as packed:
        for row in rows:
            packed.write(json.dumps(_fields(row), ensure_ascii=False).encode() + b"\n")


def _fields(row: Scanned) -> dict[str, Any]:
    document = row.document
    return {
        "document": [document.text, document.source, document.title, document.split, document.file, document.encoding],
        "language": document.language,
        "licence": document.licence,
        "cuts": [row.cuts.characters, row.cuts.bytes],
        "cut_lines": row.cut_lines,
        "reason": row.reason,
        "digest": None if row.digest is None else base64.b64encode(row.digest.astype("<u4").tobytes()).decode(),
        "shared": sorted(row.shared),
        "changed": row.changed,
        "error": row.error,
        "times": row.times,
    }


def _scanned(fields: dict[str, Any]) -> Scanned:
    digest = fields["digest"]
    return Scanned(
        Document(*fields["document"], language=fields["language"], licence=fields["licence"]),
        Cuts(*map(Counter, fields["cuts"])),
        fields["cut_lines"],
        fields["reason"],
        None if digest is None else np.frombuffer(base64.b64decode(digest), "<u4").astype(np.uint32),
        frozenset(fields["shared"]),
        fields["changed"],
        fields["error"],
        fields["times"],
    )
