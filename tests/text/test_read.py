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
from gptwright.text.documents import Document
from gptwright.text.read import find, read_documents, resolve


def read(*patterns: Path | str) -> list[Document]:
    return list(read_documents([str(p) for p in patterns]))


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


def test_patterns_keep_their_order_and_no_file_comes_twice(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.TXT", "sub/picture.png", ".hidden/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    folder, last = str(tmp_path), str(tmp_path / "sub" / "c.TXT")
    assert texts(folder) == ["a.txt", "b.txt", "sub/c.TXT"]
    assert texts(last, folder, f"{folder}/*.txt") == ["sub/c.TXT", "a.txt", "b.txt"]
    assert texts(f"{folder}/**/*.TXT") == ["sub/c.TXT"]
    found = find([folder])
    assert (len(found.files), found.ignored) == (3, 1)
    assert resolve([folder]) == found.files


def test_a_rule_at_the_top_of_a_page_is_not_front_matter(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nJust a rule.\n---\nMore.")
    assert texts(tmp_path) == ["---\nJust a rule.\n---\nMore."]


def test_conversations_are_no_documents_but_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"messages": []}\n{"text": "words"}\n')
    skipped: Counter[tuple[str, str]] = Counter()
    found = list(read_documents([str(tmp_path)], lambda source, reason: skipped.update([(source, reason)])))
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
    with pytest.raises(InputError, match="1 of other kinds"):
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
