import itertools
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.text import pack as packing
from gptwright.text.pack import TokenFile, TokenFileMeta, join, pack

END = 0x110000


def code_points(texts: list[str]) -> list[list[int]]:
    return [[ord(c) for c in text] for text in texts]


def letters(texts: list[str]) -> list[list[int]]:
    return [[ord(c) - ord("a") for c in text] for text in texts]


@settings(max_examples=30)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20),
    st.integers(1, 5),
    st.data(),
)
def test_documents_and_windows_come_back(texts: list[str], batch: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "BATCH_DOCUMENTS", batch)
        stem = Path(name) / "v1.train"
        packed = pack(texts, code_points, END, stem, END + 1, "ab" * 32)
        file = TokenFile.open(stem)
        flat = [token for ids in code_points(texts) for token in (*ids, END)]
        assert (
            packed
            == file.meta
            == TokenFileMeta(len(flat), len(texts), "uint32", "ab" * 32, sum(len(t.encode()) for t in texts))
        )
        assert [file.document(k).tolist() for k in range(len(texts))] == code_points(texts)
        start = data.draw(st.integers(0, len(flat)))
        length = data.draw(st.integers(0, len(flat) - start))
        window = file.window(start, length)
        assert window.dtype == np.int64
        assert window.tolist() == flat[start : start + length]
        assert file.documents.tolist() == [i + 1 for i, token in enumerate(flat) if token == END]
        assert file.lengths.tolist() == [len(text) + 1 for text in texts]
        assert len(file) == len(flat)


def test_the_layout_on_disk(tmp_path: Path) -> None:
    pack(["ab", "", "c"], letters, 65_535, tmp_path / "train", 65_536, "x")
    assert (tmp_path / "train.bin").read_bytes() == bytes([0, 0, 1, 0, 255, 255, 255, 255, 2, 0, 255, 255])
    assert (tmp_path / "train.idx").read_bytes() == b"".join(n.to_bytes(8, "little") for n in (3, 4, 6))
    assert json.loads((tmp_path / "train.json").read_text()) == {
        "tokens": 6, "documents": 3, "dtype": "uint16", "tokenizer_sha256": "x", "bytes": 3, "pairs": False,
    }  # fmt: skip
    assert sorted(f.name for f in tmp_path.iterdir()) == ["train.bin", "train.idx", "train.json"]


@pytest.mark.parametrize(("vocab", "width"), [(300, 2), (70_000, 4)])
def test_another_tool_reads_tokens_and_ends_of_documents_by_their_width_alone(
    tmp_path: Path, vocab: int, width: int
) -> None:
    """datatrove's layout (`.ds`, `.ds.index`): tokens of 2 or 4 bytes, ends in tokens of 8 bytes, nothing before."""
    texts = ["ab", "", "cde"]
    pack(texts, letters, 7, tmp_path / "train", vocab, "x")
    tokens, ends = (tmp_path / "train.bin").read_bytes(), (tmp_path / "train.idx").read_bytes()
    places = [0, *struct.unpack(f"<{len(texts)}Q", ends)]
    found = struct.unpack(f"<{places[-1]}{'H' if width == 2 else 'I'}", tokens)
    documents = [found[start:end] for start, end in itertools.pairwise(places)]
    assert documents == [(*ids, 7) for ids in letters(texts)]


def test_parts_joined_are_as_if_packed_at_once(tmp_path: Path) -> None:
    texts = ["ab", "", "c", "\u00e9" * 9, "de"]
    for pairs in (False, True):
        whole = pack(texts, code_points, END, tmp_path / "whole", END + 1, "x", pairs=pairs)
        for k, some in enumerate((texts[:1], texts[1:4], texts[4:])):
            pack(some, code_points, END, tmp_path / f"part{k}", END + 1, "x", pairs=pairs)
        assert join([tmp_path / f"part{k}" for k in range(3)], tmp_path / "joined") == whole
        for suffix in ("bin", "idx", "json"):
            assert (tmp_path / f"joined.{suffix}").read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / "part1.bin").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"bytes in .*part1\.bin"):
        join([tmp_path / f"part{k}" for k in range(3)], tmp_path / "joined")
    assert not (tmp_path / "joined.json").exists()


def test_no_documents_and_an_id_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one document"):
        pack([], letters, 0, tmp_path / "train", 10, "x")
    with pytest.raises(ArtifactError, match="the id 25"):
        pack(["z"], letters, 0, tmp_path / "train", 25, "x")
    assert list(tmp_path.iterdir()) == []


def test_windows_outside_the_file(tmp_path: Path) -> None:
    pack(["ab"], letters, 3, tmp_path / "train", 4, "x")
    file = TokenFile.open(tmp_path / "train")
    for start, length in ((-1, 1), (0, 4), (3, 1), (1, -1)):
        with pytest.raises(IndexError):
            file.window(start, length)
    with pytest.raises(IndexError):
        file.document(1)


@pytest.mark.parametrize("damage", ["bin short", "bin missing", "idx short", "idx other", "json other", "json dtype"])
def test_damage_is_noticed_when_opened(tmp_path: Path, damage: str) -> None:
    stem = tmp_path / "train"
    pack(["ab", "c"], letters, 3, stem, 4, "x")
    part, how = damage.split()
    path = tmp_path / f"train.{part}"
    if how == "short":
        path.write_bytes(path.read_bytes()[:-2])
    elif how == "missing":
        path.unlink()
    elif how == "dtype":
        path.write_text(path.read_text().replace("uint16", "float16"))
    else:
        path.write_bytes(b"{}" if part == "json" else bytes(len(path.read_bytes())))
    with pytest.raises(ArtifactError, match=rf"train\.{part}"):
        TokenFile.open(stem)
