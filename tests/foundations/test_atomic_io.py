import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gptwright.foundations.atomic_io import (
    MANIFEST,
    new_folder,
    read_json,
    sha256,
    translate_os_errors,
    verify_folder,
    write_file,
    write_json,
    write_text,
)
from gptwright.foundations.errors import ArtifactError, ResourceError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(*arguments: object) -> None:
    raise ZeroDivisionError


def test_the_hash_is_sha256(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_text_is_written_as_it_is_and_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "deep" / "a.txt", "猫\r\n\n")
    assert (tmp_path / "new" / "deep" / "a.txt").read_bytes() == "猫\r\n\n".encode()


def test_json_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, "猫"]})
    assert read_json(tmp_path / "a.json") == {"b": [1, "猫"]}
    assert "猫" in (tmp_path / "a.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{'a': 1}", b"[" * 100_000, b"9" * 10_000])
def test_what_is_not_json_is_an_artifact_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_a_missing_json_too(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing there"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("when", ["while filling", "while flushing"])
def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    if when == "while flushing":
        monkeypatch.setattr(os, "fsync", fail)

    def fill(unfinished: Path) -> None:
        unfinished.write_text("half of the n")
        if when == "while filling":
            fail()

    with pytest.raises(ZeroDivisionError):
        write_file(path, fill)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_crash_leaves_the_old_folder(tmp_path: Path) -> None:
    with new_folder(tmp_path / "f") as unfinished:
        write_text(unfinished / "sub" / "a", "old")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "f") as unfinished:
        write_text(unfinished / "a", "new")
        fail()
    assert names(tmp_path) == ["f"]
    verify_folder(tmp_path / "f")
    assert (tmp_path / "f" / "sub" / "a").read_text() == "old"


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with new_folder(tmp_path / "f") as unfinished:
            assert not (tmp_path / "f").exists() or text == "new"
            write_text(unfinished / text, text)
    assert names(tmp_path / "f") == [MANIFEST, "new"]


def test_what_an_earlier_crash_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".f.unfinished").mkdir()
    (tmp_path / ".f.unfinished" / "junk").write_text("x")
    with new_folder(tmp_path / "f") as unfinished:
        write_text(unfinished / "a", "x")
    assert names(tmp_path) == ["f"]
    assert list(read_json(tmp_path / "f" / MANIFEST)) == ["a"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EDQUOT, "quota exceeded"),
        (errno.EROFS, "a place that can be written"),
        (errno.EACCES, "Permission denied"),
        (errno.ENOTDIR, "a file of that name in its way"),
    ],
)
def test_the_systems_refusals_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ResourceError, match=said):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"


def test_other_failures_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output") as error, translate_os_errors(tmp_path):
        raise OSError(errno.EIO, "Input/output error")
    assert not isinstance(error.value, ResourceError)


@pytest.fixture
def short_of_room() -> Iterator[None]:
    """No file may grow beyond 1000 bytes: the system's refusal then comes through safetensors, without an errno."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("short_of_room")
def test_no_room_for_tensors_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(ResourceError, match=r"room on the disk .* File too large"),
        new_folder(tmp_path / "f") as unfinished,
    ):
        save_file({"a": torch.zeros(10_000)}, unfinished / "a.safetensors")
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(ResourceError, match="a file of that name in its way"):
        write_text(tmp_path / "a" / "b", "y")


@pytest.mark.parametrize("place", [0, 500, 999])
def test_one_flipped_bit_is_noticed(tmp_path: Path, place: int) -> None:
    with new_folder(tmp_path / "f") as unfinished:
        (unfinished / "data").write_bytes(bytes(1000))
        write_text(unfinished / "sub" / "other", "x")
    verify_folder(tmp_path / "f")
    data = bytearray((tmp_path / "f" / "data").read_bytes())
    data[place] ^= 1
    (tmp_path / "f" / "data").write_bytes(data)
    with pytest.raises(ArtifactError, match="data as it was written"):
        verify_folder(tmp_path / "f")


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    with new_folder(tmp_path / "f") as unfinished:
        write_text(unfinished / "sub" / "other", "x")
    (tmp_path / "f" / "sub" / "other").unlink()
    with pytest.raises(ArtifactError, match="other; got nothing there"):
        verify_folder(tmp_path / "f")


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_have_the_rights_that_the_umask_leaves(tmp_path: Path, mask: int) -> None:
    """Whatever the library that wrote them thinks of it."""

    def closed(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.write_text("x")
        path.chmod(0o600)

    before = os.umask(mask)
    try:
        write_file(tmp_path / "one", closed)
        write_text(tmp_path / "two", "x")
        with new_folder(tmp_path / "folder") as folder:
            closed(folder / "three")
    finally:
        os.umask(before)
    for name in ("one", "two", "folder/three", "folder/manifest.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~mask, name


def test_a_name_that_is_no_text_is_kept_in_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "a.json", {"file": name, "letters": "书é"})
    assert read_json(tmp_path / "a.json") == {"file": name, "letters": "书é"}
    assert "书é" in (tmp_path / "a.json").read_text(encoding="utf-8")
