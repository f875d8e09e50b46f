"""Files scanned by several processes, and kept until the stage is done: a part is some megabytes of input, in order.

A part is called after its input's bytes, the options and the version, and is there whole or not at all. So whoever is
stopped and begins again scans only what is missing, and neither the number of processes nor the moment of the stop
changes a byte.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.errors import ProcessLost
from gptwright.foundations.version import __version__
from gptwright.text.compression import open_compressed, read_lines
from gptwright.text.documents import Document
from gptwright.text.filters.signal_table import SignalTable
from gptwright.text.read import fingerprint
from gptwright.text.scan import Scanned, ScanOptions, scan_file

PART = 8 * 2**20
"""bytes of the files of a part, if it has more than one"""
LEVEL = 1


def scan_parts(
    files: Sequence[Path], options: ScanOptions, folder: Path, workers: int, signals: Path | None = None
) -> list[Path]:
    """The parts of all files in their order, those that are missing in `folder` scanned by so many processes, which
    look signals up in the tables in the folder `signals`, and leave there what they count.

    Raises `InputError` as `read_file` does, and `ProcessLost` when a process dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if signals is not None:
        signals.mkdir(parents=True, exist_ok=True)
    work = partial(_scan_part, options=options, folder=folder, signals=signals)
    groups = list(group_files(files))
    if workers == 1:
        return list(map(work, groups))
    with ProcessPoolExecutor(min(workers, len(groups)), get_context("spawn")) as pool:
        try:
            return list(pool.map(work, groups))
        except BrokenProcessPool as error:
            raise ProcessLost("an answer of every process that reads files", "none of one of them: it has ended",
                              "Give the same command again, with fewer --workers if memory was short: it goes on from "
                              "the files that were read.") from error  # fmt: skip
        finally:
            pool.shutdown(cancel_futures=True)


def read_part(path: Path) -> Iterator[Scanned]:
    """The sections of a part."""
    with open_compressed(path) as file:
        for line in read_lines(file, path):
            yield _scanned(json.loads(line))


def group_files(files: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Files in their order, as many as come to `PART` bytes."""
    group, size = list[Path](), 0
    for path in files:
        more = _size(path)
        if group and size + more > PART:
            yield tuple(group)
            group, size = [], 0
        group.append(path)
        size += more
    yield tuple(group)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is gone; reading it will say so
        return 0


def _scan_part(files: tuple[Path, ...], options: ScanOptions, folder: Path, signals: Path | None) -> Path:
    path = folder / f"{_identity(files, options)}.jsonl.zst"
    kept = signals / f"{_contents(files)}.parquet" if signals else None
    if not path.is_file() or (kept and not kept.is_file()):
        table = SignalTable(kept, options.classifier) if kept else None
        rows = (row for file in files for row in scan_file(file, options, table=table))
        write_file(path, lambda new: _write(new, rows))
        if table:
            table.save()
    return path


def _contents(files: tuple[Path, ...]) -> str:
    """The same wherever the files lie."""
    return hashlib.sha256(json.dumps([fingerprint(path) for path in files]).encode()).hexdigest()


def _identity(files: tuple[Path, ...], options: ScanOptions) -> str:
    hashes = [each.sha256 if each else None for each in (options.tests, options.classifier)]
    asked = [__version__, hashes, repr(replace(options, tests=None, classifier=None))]
    named = [(path.as_posix().encode("utf-8", "surrogateescape").hex(), fingerprint(path)) for path in files]
    return hashlib.sha256(json.dumps([asked, named]).encode()).hexdigest()


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
        "cuts": row.cuts,
        "cut_lines": row.cut_lines,
        "reason": row.reason,
        "digest": None if row.digest is None else base64.b64encode(row.digest.astype("<u4").tobytes()).decode(),
        "shared": sorted(row.shared),
        "changed": row.changed,
        "error": row.error,
    }


def _scanned(fields: dict[str, Any]) -> Scanned:
    digest = fields["digest"]
    return Scanned(
        Document(*fields["document"], language=fields["language"], licence=fields["licence"]),
        Counter(fields["cuts"]),
        fields["cut_lines"],
        fields["reason"],
        None if digest is None else np.frombuffer(base64.b64decode(digest), "<u4").astype(np.uint32),
        frozenset(fields["shared"]),
        fields["changed"],
        fields["error"],
    )
