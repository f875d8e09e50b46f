"""Whatever is wrong with a model folder is said in our own words; nothing crashes, nothing big is allocated first."""

import json
import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.huggingface import read_model, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(build(GPT2Config(vocab=20, context=8, width=8, heads=2, layers=1)), tmp_path, {})
    return tmp_path


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def with_header(path: Path, header: dict[str, Any], body: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def refused(folder: Path) -> str:
    with pytest.raises((ArtifactError, ConfigError)):
        read_model(folder)  # what the first call imports is not counted
    tracemalloc.start()
    with pytest.raises((ArtifactError, ConfigError)) as error:
        read_model(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000
    return str(error.value)


def test_every_truncation(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert "model.safetensors" in refused(folder)


def test_bytes_that_changed_are_refused_or_only_numbers(folder: Path) -> None:
    """A changed header never crashes; a changed number is for the manifest's hash to find (tests of durable)."""
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    dice = random.Random(1)
    for _ in range(400):
        at = dice.randrange(8 + length)
        damaged = bytearray(whole)
        damaged[at] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        try:
            read_model(folder)
        except (ArtifactError, ConfigError):
            continue


@pytest.mark.parametrize(
    "entry",
    [
        {"shape": [1_000_000_000, 1_000_000_000]},
        {"shape": [2**63, 2]},
        {"shape": [-1]},
        {"data_offsets": [0, 2**62]},
        {"data_offsets": [2**63, 2**63 + 4]},
        {"data_offsets": [8, 0]},
        {"dtype": "F99"},
        {"dtype": 3},
        {"shape": "all"},
    ],
)
def test_a_header_that_promises_what_is_not_there(folder: Path, entry: dict[str, Any]) -> None:
    path = folder / "model.safetensors"
    header, body = header_of(path)
    header["transformer.wte.weight"] |= entry
    with_header(path, header, body)
    assert "model.safetensors" in refused(folder)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9, 0])
def test_the_length_of_the_header(folder: Path, length: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    assert "model.safetensors" in refused(folder)


def test_sizes_that_no_memory_holds_are_met_by_the_shapes(folder: Path) -> None:
    """The model is built without memory for its numbers, so a width of a hundred million is only a wrong shape."""
    table = json.loads((folder / "config.json").read_text()) | {"n_embd": 10**8, "n_head": 1}
    (folder / "config.json").write_text(json.dumps(table))
    assert "of shape (20, 100000000); got (20, 8)" in refused(folder)


def test_more_layers_than_a_file_can_hold(folder: Path) -> None:
    table = json.loads((folder / "config.json").read_text()) | {"n_layer": 10**9}
    (folder / "config.json").write_text(json.dumps(table))
    assert "layers from 1 to 1,000" in refused(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/b.safetensors", 3, None])
def test_an_index_that_points_elsewhere(folder: Path, name: Any) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    assert "index.json" in refused(folder)


def test_a_tensor_that_no_gpt2_has(folder: Path) -> None:
    path = folder / "model.safetensors"
    header, body = header_of(path)
    header["transformer.h.0.attn.gate.weight"] = {
        "dtype": "F32",
        "shape": [1],
        "data_offsets": [len(body), len(body) + 4],
    }
    with_header(path, header, body + bytes(4))
    assert "'transformer.h.0.attn.gate.weight' too" in refused(folder)


def test_a_field_that_no_gpt2_is_known_to_have(folder: Path) -> None:
    table = json.loads((folder / "config.json").read_text()) | {"logit_softcapping": 30.0}
    (folder / "config.json").write_text(json.dumps(table))
    assert "'logit_softcapping' = 30.0" in refused(folder)


def test_half_precision_weights_are_read(folder: Path) -> None:
    exact: Any = read_model(folder)
    write_model(exact, folder, {}, dtype=torch.bfloat16)
    found: Any = read_model(folder)
    assert found.embed.weight.dtype == torch.float32
    torch.testing.assert_close(found.embed.weight, exact.embed.weight, atol=1e-3, rtol=1e-2)
