import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text import long_lines
from gptwright.text.documents import Document, Skip
from gptwright.text.encoding_labels import lookup_encoding
from gptwright.text.file_ranges import ranges
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions

KINDS = ("a.jsonl", "a.json", "a.parquet")


def read(path: Path, **options: Any) -> list[Document]:
    return list(read_file(path, options=ReadOptions(**options)))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if path.suffix == ".jsonl" else json.dumps(rows))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_is_the_first_of_the_fields_that_a_record_has(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / kind, [
        {"paragraphs": ["one", "two"], "body": "no", "title": "T", "split": "test"},
        {"paragraphs": None, "body": "three", "title": None, "split": None},
        {"paragraphs": [], "body": None, "title": "", "split": None},
        {"paragraphs": None, "body": None, "title": "", "split": None},
    ])  # fmt: skip
    found = [(d.text, d.title, d.split) for d in read(path, text_fields=("paragraphs", "body"))]
    assert found == [("one\ntwo", "T", "heldout"), ("three", "", None), ("", "", None), ("", "", None)]
    assert read(path, text_fields=("no", "body"))[1].text == "three"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [3, True, [1], ["one", 2], ["one", None], {"a": "b"}])
def test_a_value_that_is_no_text_is_refused_with_its_place(kind: str, value: Any, tmp_path: Path) -> None:
    if kind == "a.parquet" and value == ["one", 2]:
        value = [2]  # a column has one type
    path = write(tmp_path / kind, [{"text": value}])
    place = {"a.jsonl": "line", "a.json": "record", "a.parquet": "row"}[kind]
    with pytest.raises(InputError, match=rf'a list of them, in the field "text" in {place} 1 of .*{kind}; got a'):
        read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_without_the_fields_is_refused_with_those_that_it_has(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / kind, [{"body": "one", "id": 1}])
    with pytest.raises(InputError, match=r'"text" or "content"(.|\n)*body, id(.|\n)*--text-field'):
        read(path, text_fields=("text", "content"))


def test_one_record_alone_is_read_and_its_encoding_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for encoding in ("utf-8", "utf-16", "windows-1252"):
        path.write_bytes(json.dumps({"text": "naïve — €"}, ensure_ascii=False).encode(encoding))
        (document,) = read(path, encoding=lookup_encoding("windows-1252"))
        assert (document.text, document.encoding) == ("naïve — €", encoding)
    path.write_text("[]")
    assert read(path) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"text": "a"', "JSON in .*; got something else"),
        (b"[" * 100_000, "JSON in"),
        (b"", "JSON in"),
        (b'{"text": "a"}\n{"text": "b"}', r"Extra data(.|\n)*Mend it, or leave it out"),
        (b'[{"text": "a"}, 3]', "an object in record 2 of .*; got a int"),
        (b'"words"', "an object in record 1 of .*; got a str"),
        (b'[{"text": "a", "split": "holdot"}]', "record 1 of .*; got 'holdot'"),
        (b'{"text": "\0\0\0\0\0\0"}', "text"),
    ],
)
def test_a_file_that_is_no_json_of_records_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=says):
        read(tmp_path / "a.json")


NUMBERS = ("9" * 5000, "-" + "9" * 10**6, "NaN", "-Infinity", "1e999", "-1E+400", "0." + "3" * 10**5, "-0")


@pytest.mark.parametrize("kind", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("number", NUMBERS, ids=[number[:9] for number in NUMBERS])
def test_a_number_beside_the_text_costs_no_document_whatever_it_is(kind: str, number: str, tmp_path: Path) -> None:
    (tmp_path / kind).write_text(f'{{"id": {number}, "deep": [{{"a": {number}}}], "text": "words", "title": {number}}}')
    (document,) = read(tmp_path / kind)
    assert document.text == "words"
    (tmp_path / kind).write_text(f'{{"text": {number}}}')
    with pytest.raises(InputError, match=r'in the field "text" in .*1 of .*; got a (float|int) that is none'):
        read(tmp_path / kind)


@pytest.mark.parametrize("kind", ["a.jsonl", "a.json"])
def test_half_a_pair_and_a_key_twice(kind: str, tmp_path: Path) -> None:
    r"""What JSON leaves open: \ud800 alone means no character, and of two fields of a name the last counts."""
    (tmp_path / kind).write_text(r'{"text": "no", "\udfff": 1, "title": "\udc00", "text": "caf\u00e9 \ud800!"}')
    (document,) = read(tmp_path / kind)
    assert (document.text, document.title) == ("café \ufffd!", "\ufffd")


@pytest.mark.parametrize("kind", ["a.jsonl", "a.json"])
def test_what_nests_too_deep_is_said_in_words(kind: str, tmp_path: Path) -> None:
    (tmp_path / kind).write_text('{"text": "words", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(InputError, match="values that nest too deep"):
        read(tmp_path / kind)


def test_a_json_file_without_end_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_lines, "LONGEST_LINE", 2**20)
    write(tmp_path / "a.json", [{"text": "a" * 2**20}])
    with pytest.raises(InputError, match=r"at most 1 MiB in .*; got more(.|\n)*as \.jsonl"):
        read(tmp_path / "a.json")


def test_ranges_of_lines_read_the_same_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"lines": [f"text {i}", "é"], "text": "no"} for i in range(40)])
    options = ReadOptions(text_fields=("lines",))
    cut = [d for each in ranges(path, 100) for d in each.read(path, lambda *_: None, options)]
    assert cut == list(read_file(path, options=options)) and cut[39].text == "text 39\né"
    for each in list(ranges(path, 100))[1:2]:
        with pytest.raises(InputError, match="the fields lines, text"):
            list(each.read(path, lambda *_: None, ReadOptions(text_fields=("body",))))


@pytest.mark.parametrize("kind", ["a.jsonl", "a.json", "a.parquet"])
def test_what_is_no_record_is_told_and_the_rest_read_where_asked(kind: str, tmp_path: Path) -> None:
    bad: list[dict[str, object]] = [{"text": ["a", None]}, {"text": ["b", None]}]
    path = write(tmp_path / kind, [{"text": ["one"]}, bad[0], {"text": ["two"]}, bad[1], {"text": ["three"]}])
    with pytest.raises(InputError, match="2 of "):
        list(read_file(path))
    told: list[tuple[str, str, str]] = []

    def skip(source: str, reason: str, error: str = "") -> None:
        told.append((source, reason, error))

    options = ReadOptions(skip_unreadable=True)
    assert [d.text for d in read_file(path, skip, options)] == ["one", "two", "three"]
    assert [(source, reason) for source, reason, _ in told] == [(kind, "a record that cannot be read")] * 2
    assert ["2 of " in told[0][2], "4 of " in told[1][2]] == [True, True]


def test_a_range_names_the_lines_it_passes_over(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"text {i}"} if i % 3 else {"body": i} for i in range(40)]
    path, told = write(tmp_path / "a.jsonl", rows), list[str]()
    skip: Skip = lambda source, reason, error="": told.append(error)  # noqa: E731
    found = [d for each in ranges(path, 100) for d in each.read(path, skip, ReadOptions(skip_unreadable=True))]
    assert [d.text for d in found] == [str(row["text"]) for row in rows if "text" in row]
    assert all(f" line {line} of " in said for line, said in zip(range(1, 41, 3), told, strict=True))


@pytest.mark.parametrize("kind", ["a.jsonl", "a.json"])
def test_conversations_are_no_documents_but_counted(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / kind, [{"messages": []}, {"text": "words"}])
    skipped: Counter[tuple[str, str]] = Counter()
    count: Skip = lambda source, reason, error="": skipped.update([(source, reason)])  # noqa: E731
    found = list(read_file(path, count))
    assert [d.text for d in found] == ["words"]
    assert skipped == {(kind, "conversation"): 1}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"text": "a"', "JSON"),
        (b"[1]", "list"),
        (b'{"body": "a"}', "the fields body"),
        (b'{"text": 3}', "an? int"),
        (b'{"text": "\xff"}', "UTF-8"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "fine"}\n\n' + line + b"\n")
    with pytest.raises(InputError, match=says) as caught:
        read(path)
    assert "line 3 of" in str(caught.value) and "rows.jsonl" in str(caught.value)


def test_parquet_that_is_damaged_or_holds_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a" * 1000]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"damaged"):
        read(path)
    pyarrow.parquet.write_table(pyarrow.table({"body": ["a"]}), path)
    with pytest.raises(InputError, match="the columns body"):
        read(path)
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "n": [[1], [2]]}), path)
    with pytest.raises(InputError, match=r'in the field "n" in row 1 of .*; got a list that is none'):
        read(path, text_fields=("n",))


def test_parquet_of_values_that_python_does_not_have_or_with_a_footer_of_another_form(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    far = pyarrow.array([2**50], pyarrow.timestamp("s"))  # a year beyond 9999
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"], "title": far}), path)
    with pytest.raises(InputError, match=r"Python can hold in .*a\.parquet"):
        read(path)
    path.write_bytes(b"PAR1" + b"\xff" * 100 + (100).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(InputError, match=r"a whole parquet file at .*; got a damaged one"):
        read(path)


def test_both_kinds_of_rows_read_the_same_fields(tmp_path: Path) -> None:
    rows = [
        {"text": "one", "split": "Validation", "title": "T"},
        {"text": None, "split": "train", "title": None},
        {"text": "three", "split": None, "title": ""},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        found = [(d.text, d.split, d.title) for d in read(tmp_path / name)]
        assert found == [("one", "heldout", "T"), ("", "train", ""), ("three", None, "")]


def test_an_unknown_side_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [{"text": "one", "split": "train"}, {"text": "two", "split": "holdot"}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"line 2 of .*a\.jsonl; got 'holdot'.*\n.*'holdout'"):
        read(tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"row 2 of .*a\.parquet; got 'holdot'"):
        read(tmp_path / "a.parquet")


def test_parquet_that_is_sound_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    offsets, data = pyarrow.array([0, 2], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"\xff\xfe")
    column = pyarrow.StringArray.from_buffers(1, offsets, data)
    pyarrow.parquet.write_table(pyarrow.table({"text": column}), path)
    with pytest.raises(InputError, match='UTF-8 in the column "text"'):
        read(path)

    def cannot(*_: object) -> None:
        raise pyarrow.ArrowNotImplementedError("Support for codec 'lzo' not built")

    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", cannot)
    with pytest.raises(InputError, match=r"that pyarrow can read(.|\n)*lzo(.|\n)*Write the file again"):
        read(path)


def test_lines_in_a_given_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + '{"text": "naïve — €"}\n'.encode("cp1252"))
    with pytest.raises(InputError, match="line 2"):
        read(path)
    found = list(read_file(path, options=ReadOptions(lookup_encoding("latin1"))))
    assert [(d.text, d.encoding) for d in found] == [("a", "utf-8"), ("naïve — €", "windows-1252")]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"pip install 'gptwright\[parquet\]'"):
        read(tmp_path / "a.parquet")
