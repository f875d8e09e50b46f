import gzip
import json
import lzma
import sys
from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from gptwright.foundations.errors import ConfigError, GptwrightError, InputError
from gptwright.text import bundled
from gptwright.text import read as reading
from gptwright.text.documents import Document
from gptwright.text.encoding_labels import lookup_encoding
from gptwright.text.find import resolve
from gptwright.text.read import TOO_LONG, Skip, read_file
from gptwright.text.read_options import ReadOptions


def read(*patterns: Path | str) -> list[Document]:
    return [document for path in resolve([str(p) for p in patterns]) for document in read_file(path)]


def texts(*patterns: Path | str) -> list[str]:
    return [document.text for document in read(*patterns)]


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstandard.compress)],
)
def test_every_kind_is_read_compressed_or_not(tmp_path: Path, suffix: str, pack: object) -> None:
    assert callable(pack)
    parquet = tmp_path / "plain"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["row one", None], "n": [1, 2]}), parquet)
    contents = {
        "a.txt": b"plain",
        "b.md": b"---\ntitle: x\n---\n# Head\n",
        "c.html": b"<title>T</title><p>para",
        "d.jsonl": b'{"text": "line one", "title": "L", "split": "test"}\n\n{"text": "line two"}\n',
        "e.parquet": parquet.read_bytes(),
    }
    parquet.unlink()
    for name, content in contents.items():
        (tmp_path / f"{name}{suffix}").write_bytes(pack(content))
    documents = read(tmp_path)
    assert [d.text for d in documents] == ["plain", "# Head\n", "para", "line one", "line two", "row one", ""]
    assert [d.source for d in documents[:3]] == [f"a.txt{suffix}", f"b.md{suffix}", f"c.html{suffix}"]
    assert [d.title for d in documents[:4]] == ["a", "b", "T", "L"]
    assert [d.split for d in documents[3:5]] == ["heldout", None]


def test_conversations_are_no_documents_but_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"messages": []}\n{"text": "words"}\n')
    skipped: Counter[tuple[str, str]] = Counter()
    count: Skip = lambda source, reason: skipped.update([(source, reason)])  # noqa: E731
    found = list(read_file(tmp_path / "a.jsonl", count))
    assert [d.text for d in found] == ["words"]
    assert skipped == {("a.jsonl", "conversation"): 1}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"text": "a"', "JSON"),
        (b"[1]", "list"),
        (b'{"body": "a"}', "the fields body"),
        (b'{"text": 3}', "another type"),
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


def test_a_mark_before_the_first_line_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}')
    assert texts(tmp_path) == ["a", "b"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        read(tmp_path / "gone")
    with pytest.raises(InputError, match=r"none(.|\n)*\.parquet"):
        read(tmp_path)
    with pytest.raises(InputError):
        read()


def test_an_unknown_kind_given_by_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(InputError, match=r"'\.docx'(.|\n)*Known: \.txt"):
        read(tmp_path / "a.docx")
    with pytest.raises(InputError, match=r"passed over 1 \(a\.docx\) of another kind"):
        read(tmp_path)


def test_parquet_that_is_damaged_or_holds_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a" * 1000]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"damaged"):
        read(path)
    pyarrow.parquet.write_table(pyarrow.table({"body": ["a"]}), path)
    with pytest.raises(InputError, match="the columns body"):
        read(path)
    pyarrow.parquet.write_table(pyarrow.table({"text": [["a"]]}), path)
    with pytest.raises(InputError, match="a list"):
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


def test_files_say_what_they_were_read_as_and_what_their_readers_left_out(tmp_path: Path) -> None:
    korean = "오늘 아침에는 비가 조금 내렸다. 나는 작은 우산을 들고 시장까지 걸어갔다.\n" * 3
    (tmp_path / "a.txt").write_bytes(korean.encode("cp949"))
    (tmp_path / "b.md").write_bytes(b"---\na: b\n---\n" + korean.encode("utf-16"))
    (tmp_path / "c.md").write_text("---\na: b\n---\n# Head\n")
    (tmp_path / "d.html").write_text("<nav>Menu</nav><p>text")
    with pytest.raises(InputError, match=r"b\.md"):
        read(tmp_path / "b.md")
    (tmp_path / "b.md").unlink()
    found = read(tmp_path)
    assert [(d.encoding, dict(d.cut)) for d in found] == [
        ("euc-kr", {}), ("utf-8", {"front matter": 13}), ("utf-8", {"menus and the like of web pages": 4})
    ]  # fmt: skip


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
        read(tmp_path)


@pytest.fixture
def small_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in bundled.TEXTS:
        row = {"text": f"from {name}", "source": name, "title": name.title(), "split": "train"}
        (folder / f"{name}.jsonl.xz").write_bytes(lzma.compress(json.dumps(row).encode()))
    monkeypatch.setattr(bundled, "PLACES", (tmp_path / "none", folder))
    return folder


def test_bundled_stands_for_all_sources_or_one(small_bundle: Path) -> None:
    assert texts("bundled") == [f"from {name}" for name in bundled.TEXTS]
    assert read("bundled:plays") == [Document("from plays", "plays", "Plays", "train", "bundled:plays")]
    with pytest.raises(InputError, match="Did you mean 'novels'"):
        read("bundled:novel")


def test_a_bundle_that_is_not_there(small_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small_bundle / "verse.jsonl.xz").unlink()
    with pytest.raises(GptwrightError, match="verse"):
        read("bundled")
    monkeypatch.setattr(bundled, "PLACES", (small_bundle / "none",) * 2)
    with pytest.raises(GptwrightError, match="Install gptwright again"):
        read("bundled")


def test_a_line_without_end_is_dropped_and_the_others_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 100)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "' + "a" * 1_000 + '"}\n{"text": "two"}\n{"text": "' + "b" * 250)
    skipped: list[str] = []
    documents = list(read_file(path, lambda source, reason: skipped.append(reason)))
    assert [each.text for each in documents] == ["one", "two"] and skipped == [TOO_LONG] * 2
    path.write_text('{"text": "' + "a" * 1_000 + '"}\nno object\n')
    with pytest.raises(InputError, match="line 2 of"):
        list(read_file(path))
