"""Files that somebody could be sent: each is read as what it says or refused by name, and costs little."""

import json
import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.models.formats.weights import WEIGHTS, Weights, narrowed

TENSORS = {
    "a.weight": torch.arange(12.0).reshape(3, 4),
    "b.weight": torch.arange(6.0).to(torch.bfloat16),
    "c.weight": torch.tensor(2.5, dtype=torch.float16),
    "d.weight": torch.arange(4, dtype=torch.float64),
    "position_ids": torch.arange(5),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / WEIGHTS, metadata={"format": "pt"})
    return tmp_path


def read_all(folder: Path) -> None:
    weights = Weights(folder)
    for name in weights.shapes:
        assert torch.isfinite(weights[name]).all()


def parts(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The header and the numbers of the file."""
    content = (folder / WEIGHTS).read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def put(folder: Path, header: Any, data: bytes, size: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + data)


def test_numbers_come_in_float32_and_shapes_before_them(folder: Path) -> None:
    weights = Weights(folder)
    assert weights.shapes == {name: tuple(tensor.shape) for name, tensor in TENSORS.items()}
    for name in ("a.weight", "b.weight", "c.weight", "d.weight"):
        assert torch.equal(weights[name], TENSORS[name].float()) and weights[name].dtype == torch.float32
    with pytest.raises(ArtifactError, match=r"position_ids in .* as one of F64, F32, F16, BF16; got I64"):
        weights["position_ids"]
    assert len(weights) == len(TENSORS) and set(weights) == set(TENSORS) and "e" not in weights


def test_several_files_with_an_index(folder: Path) -> None:
    save_file({"e": torch.ones(2)}, folder / "more.safetensors")
    index = {"weight_map": {name: WEIGHTS for name in TENSORS} | {"e": "more.safetensors"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    assert set(Weights(folder).shapes) == {*TENSORS, "e"}


def test_the_index_decides_which_file_a_tensor_is_in(folder: Path) -> None:
    save_file({"a.weight": torch.ones(2), "e": torch.ones(2)}, folder / "more.safetensors")
    index = {"weight_map": {name: WEIGHTS for name in TENSORS} | {"a.weight": "more.safetensors"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    assert torch.equal(Weights(folder)["a.weight"], torch.ones(2)) and "e" in Weights(folder)
    index["weight_map"]["a.weight"] = WEIGHTS
    (folder / f"{WEIGHTS}.index.json").write_text(
        json.dumps(index | {"weight_map": index["weight_map"] | {"e": "more.safetensors"}})
    )
    assert torch.equal(Weights(folder)["a.weight"], TENSORS["a.weight"])


def test_a_tensor_that_two_files_hold_and_no_index_places(folder: Path) -> None:
    for name in ("one", "two"):
        save_file({"e": torch.ones(2), name: torch.ones(1)}, folder / f"{name}.safetensors")
    (folder / WEIGHTS).unlink()
    index = {"weight_map": {"one": "one.safetensors", "two": "two.safetensors"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    with pytest.raises(ArtifactError, match="the tensor e once"):
        Weights(folder)


def test_one_file_beside_an_index_of_others(folder: Path) -> None:
    """transformers takes the one file, vLLM those of the index."""
    save_file(TENSORS, folder / "more.safetensors")
    index = {"weight_map": dict.fromkeys(TENSORS, "more.safetensors")}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    with pytest.raises(ArtifactError, match="got both"):
        Weights(folder)


def test_a_format_that_is_too_small() -> None:
    assert narrowed("a", torch.tensor([65504.0]), torch.float16).dtype == torch.float16
    with pytest.raises(InputError, match=r"at most 65,504 in a, for float16; got 70,000(.|\n)*bfloat16"):
        narrowed("a", torch.tensor([1.0, -70_000.0]), torch.float16)
    assert narrowed("a", torch.tensor([70_000.0]), torch.bfloat16).isfinite().all()


@pytest.mark.parametrize(
    "text",
    [
        "[]", "{}", "null", "1", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}',
        '{"weight_map": {"a": null}}', '{"weight_map": {"a": ["x"]}}', '{"weight_map": {"a": "../model.safetensors"}}',
        '{"weight_map": {"a": "/etc/passwd"}}', '{"weight_map": {"a": "sub/x.safetensors"}}',
        r'{"weight_map": {"a": "..\\x.safetensors"}}', r'{"weight_map": {"a": "\u0000.safetensors"}}',
        '{"weight_map": {"a": "."}}', '{"weight_map": {"a": ""}}', "[" * 100_000, "\x00", '{"weight_map"',
        '{"weight_map": {"a": "not-there.safetensors"}}', "9" * 10_000,
    ],
)  # fmt: skip
def test_an_index_that_is_none_or_leads_out_of_the_folder(text: str, folder: Path) -> None:
    (folder / f"{WEIGHTS}.index.json").write_text(text)
    with pytest.raises(ArtifactError):
        Weights(folder)


def test_a_pickle_is_refused_with_the_way_out(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"nothing there(.|\n)*pickle"):
        Weights(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_names_its_tensor(value: float, folder: Path) -> None:
    save_file({"a": torch.tensor([1.0, value, 2.0]), "empty": torch.ones(0, 3)}, folder / WEIGHTS)
    assert Weights(folder)["empty"].shape == (0, 3)
    with pytest.raises(ArtifactError, match="finite numbers in a of"):
        Weights(folder)["a"]


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a billion numbers": lambda entry: entry | {"shape": [10**9]},
    "a product that wraps": lambda entry: entry | {"shape": [2**40, 2**40]},
    "a size below zero": lambda entry: entry | {"shape": [-3, -4]},
    "half a size": lambda entry: entry | {"shape": [1.5, 8]},
    "a size of zero": lambda entry: entry | {"shape": [0, 4]},
    "a place beyond the end": lambda entry: entry | {"data_offsets": [0, 10**12]},
    "a place before the start": lambda entry: entry | {"data_offsets": [-48, 0]},
    "an end before the start": lambda entry: entry | {"data_offsets": [96, 48]},
    "a place that wraps": lambda entry: entry | {"data_offsets": [2**64 - 48, 2**64]},
    "another's place": lambda entry: entry | {"data_offsets": [0, 48]},
    "an unknown type": lambda entry: entry | {"dtype": "F99"},
    "no type": lambda entry: {key: entry[key] for key in ("shape", "data_offsets")},
    "a list": lambda entry: [],
    "nothing": lambda entry: None,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_refused(name: str, folder: Path) -> None:
    header, data = parts(folder)
    put(folder, header | {"a.weight": HOSTILE[name](header["a.weight"])}, data)
    with pytest.raises(ArtifactError, match="whole safetensors in"):
        Weights(folder)


@pytest.mark.parametrize(("kind", "shape"), [("C64", [6]), ("F4", [96]), ("F8_E4M3", [48]), ("U8", [48]), ("I64", [6])])
def test_types_that_are_no_plain_floats_are_refused(kind: str, shape: list[int], folder: Path) -> None:
    header, data = parts(folder)
    put(folder, header | {"a.weight": header["a.weight"] | {"dtype": kind, "shape": shape}}, data)
    with pytest.raises(ArtifactError, match=rf"a\.weight in .*got {kind}"):
        Weights(folder)["a.weight"]


@pytest.mark.parametrize("header", [b"", b"[]", b"null", b"{", b"[" * 50_000, b"\xff\xfe", b'{"__metadata__": 1}'])
def test_a_header_that_is_none(header: bytes, folder: Path) -> None:
    put(folder, header, b"")
    with pytest.raises(ArtifactError, match="whole safetensors in"):
        Weights(folder)


@pytest.mark.parametrize("size", [0, 1, 10**9, 2**63, 2**64 - 1])
def test_a_header_as_long_as_it_likes(size: int, folder: Path) -> None:
    header, data = parts(folder)
    tracemalloc.start()
    try:
        put(folder, header, data, size)
        with pytest.raises(ArtifactError, match="whole safetensors in"):
            Weights(folder)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_file_cut_off_or_with_a_flipped_bit_is_read_or_refused(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    header, _ = parts(folder)
    refused = 0
    draw = random.Random(0)
    for turn in range(300):
        damaged = bytearray(whole)
        if turn % 3 == 0:
            del damaged[draw.randrange(len(damaged)) :]
        else:
            damaged[draw.randrange(8 + len(json.dumps(header)))] ^= 1 << draw.randrange(8)
        (folder / WEIGHTS).write_bytes(damaged)
        try:
            read_all(folder)
        except ArtifactError:
            refused += 1
    assert refused > 200
