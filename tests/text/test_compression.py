import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from gptwright.foundations.errors import InputError
from gptwright.text import compression
from gptwright.text.compression import open_compressed, read_all, read_lines

TEXT = b"Once more unto the breach, dear friends, once more;\n" * 2_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def read(path: Path) -> bytes:
    with open_compressed(path) as file:
        return read_all(file, path)


@pytest.mark.parametrize("suffix", ["", *PACKERS])
def test_every_compression_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT) if suffix else TEXT)
    assert read(path) == TEXT
    with open_compressed(path) as file:
        assert b"".join(read_lines(file, path)) == TEXT


@pytest.mark.parametrize("suffix", PACKERS)
def test_two_parts_in_one_file_are_read_as_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT) + PACKERS[suffix](b"the end"))
    assert read(path) == TEXT + b"the end"


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("damage", ["cut short", "not compressed", "changed"])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str, damage: str) -> None:
    whole = PACKERS[suffix](TEXT)
    middle = len(whole) // 2
    contents = {
        "cut short": whole[:-9],
        "not compressed": TEXT,
        "changed": whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 8]) + whole[middle + 8 :],
    }
    path = tmp_path / f"book.txt{suffix}"
    path.write_bytes(contents[damage])
    with pytest.raises(InputError, match=r"book\.txt"):
        read(path)


@pytest.mark.parametrize("suffix", ["", *PACKERS])
def test_what_grows_beyond_the_limit_is_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_BYTES", 50_000)
    bomb = bytes(10_000_000)
    path = tmp_path / f"bomb.txt{suffix}"
    path.write_bytes(PACKERS[suffix](bomb) if suffix else bomb)
    with pytest.raises(InputError, match="at most"):
        read(path)
    with pytest.raises(InputError, match="at most"), open_compressed(path) as file:
        list(read_lines(file, path))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt"):
        read(tmp_path / "gone.txt")


def test_the_largest_windows_of_zstd_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    for log in (27, 28, 31):
        window = zstandard.ZstdCompressionParameters.from_level(1, window_log=log)
        packed = zstandard.ZstdCompressor(compression_params=window).compressobj()
        path.write_bytes(packed.compress(TEXT) + packed.flush())
        assert read(path) == TEXT
    frame = bytearray(path.read_bytes())
    frame[5] = (32 - 10) << 3  # the frame says that its window is 4 GiB
    path.write_bytes(frame)
    with pytest.raises(InputError, match=r"a window of at most 2 GiB(.|\n)*got a larger one"):
        read(path)


def test_a_sound_file_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.zst"
    dictionary = zstandard.train_dictionary(2_000, [b"hello world %d " % i * 20 for i in range(200)])
    path.write_bytes(zstandard.ZstdCompressor(dict_data=dictionary).compress(b"hello world 5 " * 100))
    with pytest.raises(InputError, match="wrote with a dictionary"):
        read(path)
    for suffix in PACKERS:
        path = tmp_path / f"a.txt{suffix}"
        path.write_bytes(b"<html>Not found</html>")
        with pytest.raises(InputError, match=rf"{suffix} data in .*; got other data, which begins with b'<html>'"):
            read(path)
