"""Parquet: a table by columns, read a thousand rows at a time."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text.compression import COMPRESSED, read_all
from gptwright.text.jsonl import Line

ROWS = 1024


def read_parquet(
    file: IO[bytes], path: Path, *, needed: Sequence[str] = (), columns: Sequence[str] | None = None
) -> Iterator[Line]:
    """The rows of an opened file, each with its place; of the `columns` those that are there, None for all.

    Raises `ConfigError` without pyarrow, and `InputError` when the file cannot be read, or of the columns `needed` has
    none.
    """
    source: Any = BytesIO(read_all(file, path)) if path.suffix.lower() in COMPRESSED else file
    with _arrow(path, needed) as parquet:
        table = parquet.ParquetFile(source)
        names: list[str] = table.schema_arrow.names
        if needed and not any(name in names for name in needed):
            raise InputError(f"a column {_listed(needed)} in {path}", f"the columns {', '.join(names)}",
                             "Rename the column that holds the text, or name it with --text-field.")  # fmt: skip
        kept = None if columns is None else [name for name in columns if name in names]
        rows = (row for batch in table.iter_batches(batch_size=ROWS, columns=kept) for row in batch.to_pylist())
        for number, row in enumerate(rows, 1):
            yield Line(row, f"row {number} of {path}")


@contextmanager
def _arrow(path: Path, needed: Sequence[str]) -> Generator[Any]:
    """pyarrow's reader of parquet, its errors as ours."""
    try:
        parquet: Any = import_module("pyarrow.parquet")
        arrow: Any = import_module("pyarrow")
    except ImportError as error:
        raise ConfigError(f"pyarrow to read {path}", f"none that works here ({error})",
                          "pip install 'gptwright[parquet]'") from error  # fmt: skip
    try:
        yield parquet
    except UnicodeDecodeError as error:
        where = f"the column {_listed(needed)}" if needed else "the columns of text"
        raise InputError(f"UTF-8 in {where} of {path}", f"a byte that is not ({error.reason})",
                         "Write the column again from text that was decoded.") from error  # fmt: skip
    except arrow.ArrowNotImplementedError as error:
        raise InputError(f"a parquet file that pyarrow can read at {path}", f"one that it cannot ({error})",
                         "Write the file again, with the compression zstd.") from error  # fmt: skip
    except arrow.ArrowException as error:
        raise _damaged(path, error) from error
    except OSError as error:  # of the footer's own form, which pyarrow tells as if the system did
        if error.errno is not None:
            raise
        raise _damaged(path, error) from error
    except OverflowError as error:  # a date of a year beyond 9999
        raise InputError(f"dates and numbers that Python can hold in {path}", f"others ({error})",
                         "Write the column again as text, or leave it out.") from error  # fmt: skip


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"a whole parquet file at {path}", f"a damaged one ({' '.join(str(error).split())})",
                      "Copy or download the file again.")  # fmt: skip


def _listed(names: Sequence[str]) -> str:
    return " or ".join(f'"{name}"' for name in names)
