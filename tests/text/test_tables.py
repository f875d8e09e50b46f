"""One table in every form, and what is wrong with a file is said by its line."""

import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.tables import read_table

ROWS = [{"text": 'He said "no", then', "label": "a"}, {"text": "two\nlines, é", "label": "b"}]
SIMPLE = [{"text": 'He said "no", then', "label": "a"}, {"text": "é", "label": "b"}]


def test_all_forms_hold_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "a.csv").write_text('text,label\n"He said ""no"", then",a\n"two\nlines, é",b\n', encoding="utf-8-sig")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for suffix in ("jsonl", "csv", "parquet"):
        assert list(read_table(tmp_path / f"a.{suffix}")) == ROWS


def test_a_quote_in_tsv_is_a_quote_and_files_may_be_compressed(tmp_path: Path) -> None:
    text = 'text\tlabel\r\nHe said "no", then\ta\r\n\r\né\tb\r\n'
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert list(read_table(tmp_path / "a.tsv.gz")) == SIMPLE


@pytest.mark.parametrize(("mark", "called"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_separated_as_its_first_line_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mark: str, called: str, encoding: str
) -> None:
    text = f'text{mark}label\r\n"He said ""no"", then"{mark}a\r\n"two\nlines, é"{mark}b\r\n'
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    assert list(read_table(tmp_path / "a.csv")) == ROWS
    said = capsys.readouterr().err
    assert f"separated by {called}" in " ".join(said.split()) if called else not said


def test_a_comma_is_the_likeliest_separator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, row in (("a;b,c\n1;2,3\n", {"a;b": "1;2", "c": "3"}), ('"a;b;c",d\n1,2\n', {"a;b;c": "1", "d": "2"}),
                      ("a\n1;2\n", {"a": "1;2"})):  # fmt: skip
        (tmp_path / "a.csv").write_text(text)
        assert list(read_table(tmp_path / "a.csv")) == [row]
    assert not capsys.readouterr().err


def test_each_row_knows_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\n"one\ntwo"\n\nthree\n')
    assert [row.where for row in read_table(tmp_path / "a.csv")] == [
        f"line {n} of {tmp_path / 'a.csv'}" for n in (2, 5)
    ]
    pyarrow.parquet.write_table(pyarrow.table({"n": [1, 2]}), tmp_path / "a.parquet")
    assert [row.where[:5] for row in read_table(tmp_path / "a.parquet")] == ["row 1", "row 2"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", b"", "names, each once"),
        ("a.csv", b"text,label\n", "rows in"),
        ("a.csv", b"text,text\na,b\n", "each once"),
        ("a.csv", b"text;text\na;b\n", "each once"),
        ("a.csv", b"text;label\n", "rows in"),
        ("a.csv", b"text;label\na;b;c\n", "2 fields, text, label, in line 2"),
        ("a.csv", "text\né".encode("utf-16")[:-1], "UTF-8 in"),
        ("a.csv", b"text,label\na,b\na\n", "2 fields, text, label, in line 3"),
        ("a.csv", b'text\n"open', "CSV in"),
        ("a.tsv", b"text\n\xff\n", "UTF-8 in"),
        ("a.jsonl", b'{"a": 1}\n[2]\n', "object in line 2"),
        ("a.txt", b"text", r"a table: \.jsonl"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, text: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(InputError, match=said):
        list(read_table(tmp_path / name))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv"):
        list(read_table(tmp_path / "a.csv"))
