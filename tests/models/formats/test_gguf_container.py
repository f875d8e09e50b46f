"""llama.cpp's own writer and reader are the oracle; everything else here is a file that somebody could be sent."""

import random
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.models.formats.gguf_container import Container, read_container

U8, U32, F32, BOOL, TEXT, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10
HUGE = 2**64 - 1


def text(words: str | bytes) -> bytes:
    data = words if isinstance(words, bytes) else words.encode()
    return struct.pack("<Q", len(data)) + data


def value(name: str, kind: int, data: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + data


def array(name: str, kind: int, count: int, data: bytes = b"") -> bytes:
    return value(name, ARRAY, struct.pack("<IQ", kind, count) + data)


def row(name: str, shape: list[int], kind: int = 0, place: int = 0) -> bytes:
    """`shape` as the file has it, columns first; the last two by number, so that they can lie."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, place)


def file(
    values: list[bytes] | None = None,
    rows: list[bytes] | None = None,
    data: int = 256,
    counts: tuple[int, int] | None = None,
    start: bytes = b"GGUF\3\0\0\0",
) -> bytes:
    values, rows = values or [], rows or []
    head = start + struct.pack("<QQ", *(counts or (len(rows), len(values)))) + b"".join(values + rows)
    return head + bytes(-len(head) % 32 + data)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Container]:
    def open_as_file(content: bytes) -> Container:
        (tmp_path / "m.gguf").write_bytes(content)
        return read_container(tmp_path / "m.gguf")

    return open_as_file


def written(path: Path, **options: Any) -> Path:
    """A file by llama.cpp's writer with a value of every kind and tensors of many types and shapes."""
    writer = gguf.GGUFWriter(path, "llama", **options)
    writer.add_uint8("a.u8", 200)
    writer.add_int8("a.i8", -100)
    writer.add_uint16("a.u16", 60000)
    writer.add_int16("a.i16", -30000)
    writer.add_uint32("a.u32", 4_000_000_000)
    writer.add_int32("a.i32", -2_000_000_000)
    writer.add_uint64("a.u64", 2**63 + 1)
    writer.add_int64("a.i64", -(2**62))
    writer.add_float32("a.f32", 0.1)
    writer.add_float64("a.f64", 0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.text", "naïve 你好 🤷")
    writer.add_array("a.texts", ["", "x", "é"])
    writer.add_array("a.ints", [1, -2, 3])
    writer.add_array("a.floats", [0.5, float("inf")])
    writer.add_array("a.bools", [True, False])
    rng = np.random.default_rng(0)
    for i, shape in enumerate([(5,), (3, 7), (2, 3, 4), (2, 1, 3, 2)]):
        writer.add_tensor(f"f32.{i}", rng.standard_normal(shape, np.float32))
    for kind in ("F16", "BF16", "Q8_0", "Q4_1", "TQ2_0"):
        kind = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(kind.name, gguf.quantize(rng.standard_normal((3, 512), np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("alignment", [32, 256])
def test_every_value_and_tensor_is_what_llama_cpp_reads(tmp_path: Path, alignment: int) -> None:
    path = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    writer.add_array("a.ints", [1, -2, 3])
    writer.add_tensor("x", np.arange(5, dtype=np.float32))
    writer.add_tensor("y", np.arange(6, dtype=np.float16).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for one in (path, written(tmp_path / "b.gguf")):
        ours, theirs = read_container(one), gguf.GGUFReader(one)
        fields = {key: found.contents() for key, found in theirs.fields.items() if not key.startswith("GGUF.")}
        assert {key: list(v) if isinstance(v, tuple) else v for key, v in ours.metadata.items()} == fields
        assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
        for tensor in theirs.tensors:
            stored = ours.tensors[tensor.name]
            assert stored.shape == tuple(tensor.shape[::-1].tolist()) and stored.kind == tensor.tensor_type
            assert stored.start == tensor.data_offset and stored.size == tensor.n_bytes
            assert ours.data[stored.start : stored.start + stored.size].tobytes() == tensor.data.tobytes()


def test_version_2_is_read_and_others_are_not(read: Callable[[bytes], Container]) -> None:
    inside = [value("a", U32, struct.pack("<I", 7))]
    assert read(file(inside, start=b"GGUF\2\0\0\0")).metadata == {"a": 7}
    for version in (0x10000, 1, 4, 2**31):
        with pytest.raises(ArtifactError, match="version 2 or 3"):
            read(file(inside, start=b"GGUF" + struct.pack("<I", version | 1)))
    with pytest.raises(ArtifactError, match="begins with b'GGML'"):
        read(file(inside, start=b"GGML\3\0\0\0"))


def test_a_big_endian_file_is_refused_with_the_way_to_turn_it(tmp_path: Path) -> None:
    path = written(tmp_path / "big.gguf", endianess=gguf.GGUFEndian.BIG)
    with pytest.raises(ArtifactError, match=r"little-endian(.|\n)*gguf-convert-endian FILE little"):
        read_container(path)


def test_what_is_no_file_and_what_is_too_short(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "short").write_bytes(b"GGUF\3\0\0\0")
    for name in ("missing", ".", "empty", "short"):
        with pytest.raises(ArtifactError, match="a GGUF file at"):
            read_container(tmp_path / name)


def test_without_the_package_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf.constants", None)
    with pytest.raises(ConfigError, match=r"pip install 'gptwright\[gguf\]'"):
        read_container(tmp_path / "a.gguf")


WHOLE = [row("x", [8], place=0), row("y", [4, 2], place=32)]
HOSTILE: dict[str, tuple[bytes, str]] = {
    "tensors": (file(counts=(HUGE, 0)), "at most 65,536 tensors"),
    "more tensors than bytes": (file(counts=(60_000, 0)), "60,000 tensors"),
    "values": (file(counts=(0, HUGE)), "at most 65,536 values"),
    "more values than bytes": (file(counts=(0, 60_000)), "60,000 values"),
    "name": (file([struct.pack("<Q", HUGE) + b"a"]), "at most 255 bytes as the name of value 1 of 1"),
    "no name": (file([value("", U8, b"\1")]), "printable ASCII as the name of value 1"),
    "name that moves the cursor": (file([value("\x1b[2J", U8, b"\1")]), "printable ASCII"),
    "name of another alphabet": (file([value("gеneral", U8, b"\1")]), "printable ASCII"),
    "text": (file([value("a", TEXT, struct.pack("<Q", 2**63))]), "1,048,576 bytes as a at byte"),
    "text beyond the end": (file([value("a", TEXT, struct.pack("<Q", 1000))]), "1,000 bytes for a"),
    "text that is not UTF-8": (file([value("a", TEXT, text(b"ab\xff"))]), "UTF-8 as a at byte"),
    "half a character": (file([value("a", TEXT, text(b"ab\xf0\x9f"))]), "UTF-8 as a"),
    "truth": (file([value("a", BOOL, b"\2")]), "0 or 1 as a"),
    "type": (file([value("a", 13, b"\1")]), "as a of .*type 13"),
    "type of an array": (file([array("a", 13, 1, b"\1")]), "type 13"),
    "array of arrays": (file([array("a", ARRAY, 1, struct.pack("<IQ", U8, 1) + b"\1")]), "type 9"),
    "array of bytes": (file([array("a", U8, HUGE)]), "at most 4,194,304 entries of a"),
    "array of texts": (file([array("a", TEXT, 4_000_000)]), "32,000,000 bytes for 4,000,000 entries of a"),
    "array of truths": (file([array("a", BOOL, 4_000_000)]), "4,000,000 entries of a"),
    "array of numbers": (file([array("a", F32, 2**62)]), "at most 4,194,304 entries"),
    "arrays together": (
        file([array("a", U8, 3 << 20, bytes(3 << 20)), array("b", U8, 2 << 20, bytes(2 << 20))]),
        "at most 1,048,576 entries of b",
    ),
    "value twice": (file([value("a", U8, b"\1"), value("a", U8, b"\1")]), "a twice"),
    "alignment of 0": (file([value("general.alignment", U32, bytes(4))]), "a power of two"),
    "alignment of 3": (file([value("general.alignment", U32, struct.pack("<I", 3))]), "a power of two"),
    "alignment of 2**40": (file([value("general.alignment", U64, struct.pack("<Q", 2**40))]), "a power of two"),
    "alignment in words": (file([value("general.alignment", TEXT, text("32"))]), "a power of two"),
    "alignment true": (file([value("general.alignment", BOOL, b"\1")]), "a power of two"),
    "no dimension": (file(rows=[row("x", [])]), "1 to 4 dimensions of x"),
    "five dimensions": (file(rows=[row("x", [1] * 5)]), "1 to 4 dimensions of x"),
    "a billion dimensions": (file(rows=[text("x") + struct.pack("<I", 10**9)]), "1,000,000,000"),
    "size of 0": (file(rows=[row("x", [4, 0])]), r"sizes of x above zero.*\(4, 0\)"),
    "a billion numbers": (file(rows=[row("x", [10**9])]), "4,000,000,000 bytes for x"),
    "a product beyond 64 bits": (file(rows=[row("x", [2**32, 2**32, 2**32, 2**32])]), "bytes for x"),
    "a product that wraps to 16": (file(rows=[row("x", [2**62 + 1, 4, 2])]), "bytes for x"),
    "unknown type": (file(rows=[row("x", [8], kind=999)]), "a type of ggml for x.*number 999"),
    "removed type": (file(rows=[row("x", [32], kind=4)]), "number 4"),
    "half a block": (file(rows=[row("x", [31], kind=8)]), r"whole blocks of 32 \(Q8_0\).*rows of 31"),
    "place beyond the end": (file(rows=[row("x", [8], place=2**40)]), "32 bytes for x"),
    "place that wraps": (file(rows=[row("x", [8], place=2**64 - 32)]), "32 bytes for x"),
    "place between": (file(rows=[row("x", [8], place=4)]), "a multiple of 32 as the place of x.*4"),
    "one on another": (file(rows=[row("x", [9]), row("y", [8], place=32)]), "y after x"),
    "one in another": (file(rows=[row("x", [64]), row("y", [8], place=32)]), "y after x"),
    "tensor twice": (file(rows=[row("x", [8]), row("x", [8], place=32)]), "x twice"),
    "tensor without a name": (file(rows=[row("", [8])]), "printable ASCII as the name of tensor 1 of 1"),
    "long name of a tensor": (file(rows=[row("x" * 256, [8])]), "at most 255 bytes"),
    "no data": (file(rows=WHOLE, data=63), "32 bytes for y"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_before_it_costs_anything(name: str, read: Callable[[bytes], Container]) -> None:
    content, message = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=message):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < len(content) * 10 + 500_000
    finally:
        tracemalloc.stop()


def test_a_header_may_not_go_on_for_ever(read: Callable[[bytes], Container], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gptwright.models.formats.gguf_container.MOST_HEADER", 100)
    with pytest.raises(ArtifactError, match="until 100, bytes that a header may have"):
        read(file([value(f"a{i}", TEXT, text("x" * 20)) for i in range(6)]))


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, read: Callable[[bytes], Container]) -> None:
    whole = written(tmp_path / "whole.gguf").read_bytes()
    container = read(whole)
    end = max(stored.start + stored.size for stored in container.tensors.values())
    header = min(stored.start for stored in container.tensors.values())
    for length in [*range(header), *range(header, end, 97), end - 1]:
        with pytest.raises(ArtifactError, match="Fetch or copy the file again"):
            read(whole[:length])
    assert read(whole[:end]).tensors == container.tensors


def test_one_flipped_bit_is_read_or_refused(tmp_path: Path, read: Callable[[bytes], Container]) -> None:
    whole = bytearray(written(tmp_path / "whole.gguf").read_bytes())
    header = min(stored.start for stored in read(bytes(whole)).tensors.values())
    bits = random.Random(0).sample(range(8 * header), 1000)

    def refused(bit: int) -> bool:
        whole[bit // 8] ^= 1 << bit % 8
        try:
            found = read(bytes(whole))
        except ArtifactError:
            return True
        finally:
            whole[bit // 8] ^= 1 << bit % 8
        assert all(0 <= s.start < s.start + s.size <= len(whole) for s in found.tensors.values())
        return False

    assert sum(refused(bit) for bit in bits) > 300
    tracemalloc.start()
    try:
        assert any([refused(bit) for bit in bits[:50]])
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_noise_after_the_start_is_refused(read: Callable[[bytes], Container]) -> None:
    draw = random.Random(0)
    for _ in range(200):
        counts = draw.choice([(3, 2), (1, 0), (0, 3), (HUGE, HUGE), (40, 40)])
        with pytest.raises(ArtifactError):
            read(b"GGUF\3\0\0\0" + struct.pack("<QQ", *counts) + draw.randbytes(draw.randrange(2000)))
