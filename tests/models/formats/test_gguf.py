"""A random LLaMA of transformers, written as llama.cpp writes one: what comes back must be the same model."""

import random
import tracemalloc
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats import gguf as reading
from gptwright.models.formats.gguf import BLOCK_NAMES, Gguf, read_gguf
from gptwright.models.formats.gguf_config import llama3_factors
from gptwright.models.formats.gguf_container import block_sizes

F32 = gguf.GGMLQuantizationType.F32
SIZES: dict[str, Any] = {
    "vocab_size": 24,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 50000.0,
}
IDS = torch.arange(40).reshape(2, 20) * 7 % 24


def llama(**changes: Any) -> Any:
    """A random model of transformers whose every weight shows in its logits."""
    torch.manual_seed(1)
    config = transformers.LlamaConfig(**deepcopy(SIZES | changes), bos_token_id=1, eos_token_id=2)
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    return model


def values_of(model: Any) -> dict[str, Any]:
    """What llama.cpp's converter says of it."""
    config = model.config
    return {
        "llama.vocab_size": config.vocab_size,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.block_count": config.num_hidden_layers,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "llama.rope.dimension_count": config.head_dim,
        "llama.rope.freq_base": config.rope_parameters["rope_theta"],
    }


def swapped(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a projection as llama.cpp's converter orders them: the two halves of each head in turn."""
    return weights.reshape(heads, 2, len(weights) // heads // 2, -1).swapaxes(1, 2).reshape(weights.shape)


def arrays_of(model: Any) -> dict[str, np.ndarray]:
    """Its weights under llama.cpp's names and in its order."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    arrays = {"token_embd.weight": state["model.embed_tokens.weight"], "output_norm.weight": state["model.norm.weight"]}
    if not model.config.tie_word_embeddings:
        arrays["output.weight"] = state["lm_head.weight"]
    for i in range(model.config.num_hidden_layers):
        for ours, theirs in BLOCK_NAMES.items():
            weights = state[f"model.layers.{i}.{theirs}.weight"]
            arrays[f"blk.{i}.{ours}.weight"] = swapped(weights, heads[ours]) if ours in heads else weights
    return arrays


def write(
    path: Path,
    values: dict[str, Any],
    arrays: dict[str, np.ndarray],
    kind: gguf.GGMLQuantizationType = F32,
    architecture: str = "llama",
) -> Path:
    """A file by llama.cpp's writer. An array of bytes is taken for blocks of `kind`, another is made into them."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in values.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            kinds = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
            kinds.get(type(value), lambda key, pair: pair[0](writer, key, pair[1]))(key, value)
    for name, array in arrays.items():
        if array.ndim == 1 and array.dtype == np.float32:
            writer.add_tensor(name, array)
        elif array.dtype == np.uint8:
            writer.add_tensor(name, array, raw_dtype=kind)
        else:
            writer.add_tensor(name, gguf.quantize(np.ascontiguousarray(array), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.gguf"


def assert_same(found: Gguf, model: Any, ids: torch.Tensor = IDS) -> None:
    """transformers computes the same from what was read as the model does."""
    again = transformers.LlamaForCausalLM(transformers.LlamaConfig(**deepcopy(found.config))).eval()
    tensors = dict(found.tensors)
    if found.config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    again.load_state_dict(tensors)
    with torch.no_grad():
        assert torch.equal(again(ids).logits, model(ids).logits)


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_comes_back_bit_for_bit(path: Path, tied: bool) -> None:
    model = llama(tie_word_embeddings=tied)
    found = read_gguf(write(path, values_of(model), arrays_of(model)))
    assert found.config["tie_word_embeddings"] is tied
    assert found.config | SIZES == found.config
    assert found.config["model_type"] == "llama" and found.config["rope_scaling"] is None
    assert found.metadata["general.architecture"] == "llama"
    state = model.state_dict()
    assert set(found.tensors) == set(state) - ({"lm_head.weight"} if tied else set())
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.tensors.items())
    assert_same(found, model)


def test_heads_wider_than_the_width_tells_and_as_many_groups_as_heads(path: Path) -> None:
    model = llama(head_dim=16, num_key_value_heads=4)
    values = values_of(model) | {"llama.attention.key_length": 16, "llama.attention.value_length": 16}
    del values["llama.attention.head_count_kv"], values["llama.vocab_size"]
    found = read_gguf(write(path, values, arrays_of(model)))
    assert found.config["head_dim"] == 16 and found.config["num_key_value_heads"] == 4
    assert_same(found, model)


def finite_blocks(kind: gguf.GGMLQuantizationType, rows: int, columns: int) -> np.ndarray:
    """Random blocks of small bytes, whose half-precision scales are therefore finite."""
    _, numbers, size = block_sizes()[kind]
    return np.random.default_rng(kind).integers(0, 60, (rows, columns // numbers * size), np.uint8)


def readable() -> list[gguf.GGMLQuantizationType]:
    """Every type that the package turns into numbers."""
    kinds: list[gguf.GGMLQuantizationType] = []
    for kind, (_, _, size) in block_sizes().items():
        try:
            gguf.dequantize(np.zeros((1, size), np.uint8), gguf.GGMLQuantizationType(kind))
        except NotImplementedError:
            continue
        kinds.append(gguf.GGMLQuantizationType(kind))
    return kinds


def test_the_usual_types_can_be_read() -> None:
    plain, old = {"F32", "F16", "BF16"}, {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"}
    assert {kind.name for kind in readable()} >= plain | old | {f"Q{bits}_K" for bits in range(2, 7)} | {"IQ4_XS"}


@pytest.mark.parametrize("kind", readable(), ids=lambda kind: kind.name)
def test_every_type_is_read(kind: gguf.GGMLQuantizationType, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in their places and in their order, although they are read in portions."""
    monkeypatch.setattr(reading, "AT_ONCE", 256 * 5)
    model = llama(vocab_size=12, hidden_size=256, intermediate_size=256, num_hidden_layers=1)
    arrays, state = arrays_of(model), model.state_dict()
    try:
        blocks = {name: gguf.quantize(array, kind) for name, array in arrays.items() if array.ndim == 2}
    except NotImplementedError:
        blocks = {name: finite_blocks(kind, *array.shape) for name, array in arrays.items() if array.ndim == 2}
    found = read_gguf(write(path, values_of(model), arrays | blocks, kind)).tensors
    assert all(tensor.dtype == torch.float32 and tensor.shape == state[name].shape for name, tensor in found.items())
    for name in ("token_embd", "blk.0.attn_v", "blk.0.ffn_down", "blk.0.attn_q"):
        expected = gguf.dequantize(blocks[f"{name}.weight"], kind)
        theirs = reading.MODEL_NAMES.get(f"{name}.weight", f"model.layers.0.{BLOCK_NAMES.get(name[6:])}.weight")
        ours = found[theirs].numpy()
        assert (swapped(ours, 4) if name.endswith("_q") else ours).tobytes() == expected.tobytes(), name


def llama3(original: int, factor: float) -> dict[str, Any]:
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": original,
    }


def divisors_of(model: Any) -> np.ndarray:
    """By what transformers divides the frequencies."""
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](model.config, torch.device("cpu"))
    head = model.config.head_dim
    plain = model.config.rope_parameters["rope_theta"] ** -(torch.arange(0, head, 2) / head)
    return (plain / scaled).numpy().astype(np.float32)


@pytest.mark.parametrize(("head", "original", "factor"), [(128, 8192, 8.0), (64, 8192, 32.0), (16, 64, 8.0)])
def test_the_divisors_of_llama_3_are_those_of_transformers(head: int, original: int, factor: float) -> None:
    model = llama(hidden_size=head * 4, rope_theta=500000.0, rope_scaling=llama3(original, factor))
    ours = llama3_factors(head, 500000.0, factor, original)
    assert np.allclose(ours, divisors_of(model), rtol=1e-5)


@pytest.mark.parametrize("original", [8192, 2048])
def test_llama_3_scaling_is_found_again(original: int, path: Path) -> None:
    model = llama(head_dim=32, max_position_embeddings=65536, rope_scaling=llama3(original, 8.0))
    values = values_of(model) | {"llama.attention.key_length": 32, "llama.attention.value_length": 32}
    divisors = divisors_of(model)
    assert ((divisors > 1.0) & (divisors < 8.0)).any()
    found = read_gguf(write(path, values, arrays_of(model) | {"rope_freqs.weight": divisors}))
    assert found.config["rope_scaling"] == llama3(original, 8.0)
    assert_same(found, model)


def test_divisors_of_one_are_no_scaling_and_others_are_refused(path: Path) -> None:
    model = llama()
    values, arrays = values_of(model), arrays_of(model)
    ones = np.ones(4, np.float32)
    assert read_gguf(write(path, values, arrays | {"rope_freqs.weight": ones})).config["rope_scaling"] is None
    for divisors in ([1, 2, 3, 4], [8, 8], [0, 1, 1, 1], [-8, 1, 1, 1], [8, 1, 8, 1]):
        with pytest.raises(ArtifactError, match=r"divisors of LLaMA 3\.1"):
            read_gguf(write(path, values, arrays | {"rope_freqs.weight": np.array(divisors, np.float32)}))
    with pytest.raises(ArtifactError, match="'linear' by 2"):
        linear = values | {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}
        read_gguf(write(path, linear, arrays | {"rope_freqs.weight": 2 * ones}))


@pytest.mark.parametrize(
    "values",
    [
        {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0},
        {"rope.scale_linear": 4.0},
        {"rope.scaling.type": "none", "rope.scaling.factor": 4.0},
        {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16},
        {"rope.scaling.type": "linear", "rope.scaling.factor": 1.0},
    ],
)
def test_scaling_that_stands_in_the_values(values: dict[str, Any], path: Path) -> None:
    """What is not computed is refused here, and what asks for nothing is read."""
    model = llama()
    write(path, values_of(model) | {f"llama.{key}": value for key, value in values.items()}, arrays_of(model))
    if values.get("rope.scaling.type") == "none" or values.get("rope.scaling.factor") == 1.0:
        assert read_gguf(path).config["rope_scaling"] is None
        assert_same(read_gguf(path), model)
    else:
        with pytest.raises(ArtifactError, match=r"or as LLaMA 3\.1's, in .*got '(linear|yarn)' by 4"):
            read_gguf(path)


def number(add: Callable[[gguf.GGUFWriter, str, Any], None], value: float) -> tuple[Any, float]:
    return add, value


NO = object()
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another rows": ({"llama.vocab_size": 25}, r"24, the rows of token_embd\.weight, as llama\.vocab_size.*25"),
    "tokens": ({"tokenizer.ggml.tokens": ["a"] * 23}, "24 tokens, the rows.*23 in tokenizer.ggml.tokens"),
    "no vocabulary": ({"llama.vocab_size": 0}, "a whole number from 1 to 4,194,304 as llama.vocab_size.*0"),
    "eps is no number": ({"llama.attention.layer_norm_rms_epsilon": float("nan")}, "rms_epsilon.*got nan"),
    "eps of 0": ({"llama.attention.layer_norm_rms_epsilon": 0.0}, "rms_epsilon"),
    "eps below 0": ({"llama.attention.layer_norm_rms_epsilon": -1e-5}, "rms_epsilon"),
    "no eps": ({"llama.attention.layer_norm_rms_epsilon": NO}, "rms_epsilon.*no such value"),
    "eps in words": ({"llama.attention.layer_norm_rms_epsilon": "1e-5"}, "rms_epsilon"),
    "endless theta": ({"llama.rope.freq_base": float("inf")}, "freq_base.*inf"),
    "theta of 0": ({"llama.rope.freq_base": 0.0}, "freq_base"),
    "no context": ({"llama.context_length": NO}, "context_length.*no such value"),
    "context of 0": ({"llama.context_length": 0}, "context_length"),
    "endless context": ({"llama.context_length": 2**32 - 1}, "from 1 to 16,777,216 as llama.context_length"),
    "width below 0": (
        {"llama.embedding_length": number(gguf.GGUFWriter.add_int32, -32)},
        "llama.embedding_length.*-32",
    ),
    "broken width": ({"llama.embedding_length": 32.0}, r"llama.embedding_length.*32\.0"),
    "true width": ({"llama.embedding_length": True}, "llama.embedding_length.*True"),
    "another width": (
        {"llama.embedding_length": 64, "llama.rope.dimension_count": 16},
        r"token_embd.weight of shape \(24, 64\).*\(24, 32\)",
    ),
    "another inner width": ({"llama.feed_forward_length": 32}, r"ffn_gate.weight of shape \(32, 32\).*\(64, 32\)"),
    "inner widths": ({"llama.feed_forward_length": [64, 64]}, r"feed_forward_length.*\(64, 64\)"),
    "a billion blocks": ({"llama.block_count": 10**9}, "from 1 to 4,096 as llama.block_count"),
    "many blocks": ({"llama.block_count": 4096}, "9 tensors for each of 4096 blocks.*21 in all"),
    "fewer blocks": ({"llama.block_count": 1}, "the tensors of a plain LLaMA.*also blk.1."),
    "heads": (
        {"llama.attention.head_count": 5, "llama.attention.head_count_kv": 5},
        "a divisor of the width 32 as llama.attention.head_count.*5",
    ),
    "odd heads": ({"llama.attention.head_count": 32}, "an even number"),
    "groups": ({"llama.attention.head_count_kv": 3}, "a divisor of the 4 heads"),
    "more groups than heads": ({"llama.attention.head_count_kv": 8}, "from 1 to 4 as llama.attention.head_count_kv"),
    "other groups": ({"llama.attention.head_count_kv": 4}, "attn_k.weight of shape"),
    "half a rotation": ({"llama.rope.dimension_count": 4}, "the width of a head, 8, as llama.rope.dimension_count"),
    "values of another width": ({"llama.attention.value_length": 4}, "the width of a head, 8, as llama.attention.val"),
    "a scaling nobody knows": ({"llama.rope.scaling.type": "su"}, "'su' by 1"),
    "a scaling of zero": (
        {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 0.0},
        "llama.rope.scaling.factor",
    ),
    "experts": ({"llama.expert_count": 8}, "a plain LLaMA.*llama.expert_count = 8"),
    "a window": ({"llama.attention.sliding_window": 4096}, "llama.attention.sliding_window = 4096"),
    "both directions": ({"llama.attention.causal": False}, "llama.attention.causal = False"),
    "an adapter": ({"general.type": "adapter"}, "general.type 'adapter'"),
    "a part": ({"split.count": 3}, r"one of 3 parts(.|\n)*llama-gguf-split --merge"),
}


@pytest.mark.parametrize("name", WRONG)
def test_values_that_cannot_be_are_named(name: str, path: Path) -> None:
    changes, message = WRONG[name]
    model = llama()
    values = {key: value for key, value in (values_of(model) | changes).items() if value is not NO}
    with pytest.raises(ArtifactError, match=message):
        read_gguf(write(path, values, arrays_of(model)))


def test_another_architecture_is_named_with_the_remedy(path: Path) -> None:
    model = llama()
    for name in ("qwen2", "bert", "llama4"):
        with pytest.raises(ArtifactError, match=rf"architecture llama.*'{name}'(.|\n)*Hugging Face folder"):
            read_gguf(write(path, values_of(model), arrays_of(model), architecture=name))


def test_tensors_that_are_missing_or_too_many_or_of_no_use(path: Path) -> None:
    model = llama()
    values, arrays = values_of(model), arrays_of(model)
    for name in ("token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight"):
        with pytest.raises(ArtifactError, match=rf"the tensor {name}.*nothing of that name"):
            read_gguf(write(path, values, {key: array for key, array in arrays.items() if key != name}))
    with pytest.raises(ArtifactError, match=r"also blk\.0\.attn_q\.bias"):
        read_gguf(write(path, values, arrays | {"blk.0.attn_q.bias": np.zeros(32, np.float32)}))
    flat = arrays | {"token_embd.weight": np.zeros((24, 8, 4), np.float32)}
    with pytest.raises(ArtifactError, match=r"token_embd.weight of shape \(24, 32\).*\(24, 8, 4\)"):
        read_gguf(write(path, values, flat))


def test_a_type_that_no_weights_have_is_refused_before_anything_is_read(path: Path) -> None:
    model = llama()
    arrays = arrays_of(model) | {"blk.1.attn_v.weight": np.zeros((16, 32), np.int32)}
    writer_takes_integers = arrays.pop("blk.1.attn_v.weight")
    writer = gguf.GGUFWriter(path, "llama")
    for name, array in [*arrays.items(), ("blk.1.attn_v.weight", writer_takes_integers)]:
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ArtifactError, match=r"that can be read for blk\.1\.attn_v\.weight.*I32"):
        read_gguf(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_names_its_tensor(value: float, path: Path) -> None:
    model = llama()
    arrays = arrays_of(model)
    arrays["blk.1.ffn_up.weight"][3, 5] = value
    with pytest.raises(ArtifactError, match=r"finite numbers in blk\.1\.ffn_up\.weight"):
        read_gguf(write(path, values_of(model), arrays))


def test_a_scale_that_is_no_number_names_its_tensor(path: Path) -> None:
    model = llama()
    arrays = {name: a if a.ndim == 1 else gguf.quantize(a, gguf.GGMLQuantizationType.Q8_0) for name, a in
              arrays_of(model).items()}  # fmt: skip
    arrays["blk.0.attn_k.weight"][0, :2] = (0, 0x7C)  # the half-precision infinity
    with pytest.raises(ArtifactError, match=r"finite numbers in blk\.0\.attn_k\.weight"):
        read_gguf(write(path, values_of(model), arrays, gguf.GGMLQuantizationType.Q8_0))


def test_a_damaged_file_is_an_error_or_a_model_and_costs_little(path: Path) -> None:
    model = llama(num_hidden_layers=1)
    tokens = {"tokenizer.ggml.tokens": [f"t{i}" for i in range(24)]}
    write(path, values_of(model) | tokens, arrays_of(model), gguf.GGMLQuantizationType.Q4_1)
    whole = path.read_bytes()
    draw = random.Random(0)
    refused = 0
    tracemalloc.start()
    try:
        for turn in range(160):
            damaged = bytearray(whole)
            if turn % 4 == 0:
                del damaged[draw.randrange(len(damaged)) :]
            else:
                damaged[draw.randrange(len(damaged) if turn % 4 == 1 else 2200)] ^= 1 << draw.randrange(8)
            path.write_bytes(damaged)
            try:
                found = read_gguf(path)
            except ArtifactError:
                refused += 1
            else:
                assert all(torch.isfinite(tensor).all() for tensor in found.tensors.values())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert refused > 60
