"""Signals kept in a parquet file, so that a text is counted once, whatever thresholds it is asked by.

A row is a text, called after its own hash: what a filter's rules of lines left of a text has a row of its own, with the
filter's name as `edited_by`. Every column but the first four is a signal.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from importlib import import_module
from math import isnan
from pathlib import Path
from typing import Any

from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.text.documents import Document
from gptwright.text.filters.quality import QualityClassifier
from gptwright.text.filters.signals import OF_LINE_RULES, SignalCounter, Signals

NAMES = ("text_hash", "source", "title", "edited_by")
JUDGE = "quality_of"
"""key of the file's metadata: the hash of the classifier by which `quality` was judged"""


class SignalTable(SignalCounter):
    """The signals of the texts of some files: those that the file at `path` has, and those that are counted anew.

    Raises `ConfigError` without pyarrow, and `ArtifactError` when the file is damaged or another's.
    """

    def __init__(self, path: Path, classifier: QualityClassifier | None = None) -> None:
        super().__init__(classifier)
        self._path = path
        self._judge = classifier.sha256 if classifier else ""
        self._rows = dict[str, dict[str, Any]]()
        self._is_new = not path.is_file()
        self.counted = 0
        _parquet()
        if path.is_file():
            self._read()

    def signals(
        self, document: Document, text: str, edited_by: str = "", noted: Mapping[str, float] | None = None
    ) -> Signals:
        """The signals of a text, all of them."""
        values = Signals(text, self._classifier)
        values.note(noted or {})
        name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        known = self._rows.get(name, {})
        values.note({signal: value for signal, value in known.items() if signal not in NAMES})
        if any(signal not in known for signal in (*self._wanted(), *(noted or {}))):
            self.counted += not known
            self._is_new = True
            names = known or {"source": document.source, "title": document.title, "edited_by": edited_by}
            self._rows[name] = {**names, **{signal: values[signal] for signal in self._wanted()}, **(noted or {})}
        return values

    def save(self) -> None:
        """Writes the file, unless nothing was counted anew."""
        if self._is_new:
            write_file(self._path, self._write)

    def _wanted(self) -> Iterable[str]:
        return (signal for signal in Signals("") if signal != "quality" or self._classifier is not None)

    def _read(self) -> None:
        parquet = _parquet()
        arrow: Any = import_module("pyarrow")
        try:
            table = parquet.read_table(self._path)
            metadata = table.schema.metadata or {}
            rows: list[dict[str, Any]] = table.to_pylist()
        except (arrow.ArrowException, OSError) as error:
            raise ArtifactError(f"a table of signals at {self._path}", f"a damaged file ({error})",
                                "Delete it: it is counted again.") from error  # fmt: skip
        if JUDGE.encode() not in metadata:
            raise ArtifactError(f"a table of signals at {self._path}", "another's", "Give another folder.")
        stale = bool(self._judge) and metadata[JUDGE.encode()].decode() != self._judge
        self._judge = self._judge or metadata[JUDGE.encode()].decode()
        for row in rows:
            found = {key: value for key, value in row.items() if isinstance(value, str) or not _is_nothing(value)}
            if stale:
                found.pop("quality", None)
            self._rows[found.pop(NAMES[0])] = found

    def _write(self, path: Path) -> None:
        arrow: Any = import_module("pyarrow")
        names = [*NAMES[1:], *Signals(""), *OF_LINE_RULES]
        types = [arrow.string()] * 3 + [arrow.float64()] * (len(names) - 3)
        columns = [arrow.array([row.get(name) for row in self._rows.values()], kind)
                   for name, kind in zip(names, types, strict=True)]  # fmt: skip
        first = arrow.array(list(self._rows), arrow.string())
        table = arrow.table([first, *columns], [NAMES[0], *names])
        _parquet().write_table(table.replace_schema_metadata({JUDGE: self._judge}), path, compression="zstd")


def _is_nothing(value: float | None) -> bool:
    return value is None or isnan(value)


def _parquet() -> Any:
    try:
        return import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError("pyarrow to keep signals", f"none that works here ({error})",
                          "pip install 'gptwright[parquet]'") from error  # fmt: skip
