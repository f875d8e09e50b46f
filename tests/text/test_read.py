import gzip
import json
import lzma
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from gptwright.foundations.errors import GptwrightError, InputError
from gptwright.text import bundled
from gptwright.text.documents import Document
from gptwright.text.find import resolve
from gptwright.text.read import read_file


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
