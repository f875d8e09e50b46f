"""What is written is read again bit for bit, and transformers computes the same from it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.layers.positions import RopeScaling
from gptwright.models.catalogue import build
from gptwright.models.decoder import Decoder
from gptwright.models.formats.gguf import read_gguf
from gptwright.models.formats.gguf_container import read_container
from gptwright.models.formats.gguf_writing import write_gguf
from gptwright.models.formats.huggingface import build_model
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.llama import LlamaConfig
from gptwright.tokenizers.formats.gguf_writing import values_of
from gptwright.tokenizers.tokenizer import Tokenizer

IDS = torch.arange(40).reshape(2, 20) * 7 % 64
SIZES: dict[str, Any] = {"vocab": 300, "context": 64, "width": 32, "heads": 4, "layers": 2}
LLAMA: dict[str, Any] = SIZES | {"kv_heads": 2, "hidden": 48}
SCALING = RopeScaling(factor=8.0, low=1.0, high=4.0, original_context=8192)
LLAMAS = {
    "apart": LlamaConfig(**LLAMA),
    "tied": LlamaConfig(**LLAMA, tied=True, base=50_000.0, epsilon=1e-6),
    "stretched": LlamaConfig(**LLAMA | {"width": 128}, base=500_000.0, scaling=SCALING),
}
STRETCHES = [(64, 1e4, 8.0), (100, 1e4, 2.0), (777, 5e5, 4.0), (1000, 1e4, 3.5), (12_345, 1e6, 32.0), (8192, 5e5, 8.0)]


@pytest.mark.parametrize(("original", "base", "factor"), STRETCHES)
@pytest.mark.parametrize("width", [16, 32, 128, 256])
def test_our_own_stretch_is_read_again(
    original: int, base: float, factor: float, width: int, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Whatever context it was stretched from: that table, or another that turns every wave alike."""
    scaling = RopeScaling(factor=factor, low=1.0, high=4.0, original_context=original)
    model = loud(LlamaConfig(**LLAMA | {"width": width}, base=base, scaling=scaling))
    path = written(model, tokenizer, tmp_path)
    found = read_gguf(path)
    again: Any = build_model(found.config, path, lambda: found.tensors)
    with torch.no_grad():
        assert (again(IDS) - model(IDS)).abs().max() <= 1e-4


def test_numbers_that_float16_has_not(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = loud(LLAMAS["apart"])
    model.blocks[0].mlp.up.weight[0, 0] = 70_000.0
    with pytest.raises(InputError, match=r"in blk\.0\.ffn_up\.weight, for float16; got 70,000"):
        written(model, tokenizer, tmp_path, torch.float16)
    assert not list(tmp_path.iterdir())
    written(model, tokenizer, tmp_path, torch.bfloat16)


def loud(config: Any) -> Any:
    """A model whose every weight shows in its logits."""
    model = build(config, seed=1)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    return model.eval().requires_grad_(False)


def written(model: Decoder, tokenizer: Tokenizer, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    path = folder / "m.gguf"
    write_gguf(model, path, "a name", values_of(tokenizer, model.config.vocab), dtype)
    return path


@pytest.mark.parametrize("name", LLAMAS)
def test_a_llama_comes_back_bit_for_bit(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = loud(LLAMAS[name])
    path = written(model, tokenizer, tmp_path)
    found = read_gguf(path)
    again: Any = build_model(found.config, path, lambda: found.tensors)
    assert again.config == model.config
    state = again.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert found.metadata["general.name"] == "a name"


GPT2_WIDE = GPT2Config(**SIZES | {"context": 1024})  # transformers reads every GPT-2 as one of that context


@pytest.mark.parametrize("config", [GPT2_WIDE, LLAMAS["apart"], LLAMAS["tied"]], ids=["gpt2", "llama", "tied"])
def test_transformers_computes_the_same(config: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = loud(config)
    path = written(model, tokenizer, tmp_path)
    table = load_gguf_checkpoint(str(path))["config"]
    with torch.device("meta"):
        empty = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**table))
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=empty)["tensors"]
    theirs = transformers.AutoModelForCausalLM.from_config(empty.config).eval()
    missing = theirs.load_state_dict(tensors, strict=False).missing_keys
    assert missing in ([], ["lm_head.weight"])
    theirs.tie_weights()
    with torch.no_grad():
        torch.testing.assert_close(theirs(IDS).logits, model(IDS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("dtype", "word"), [(torch.float16, "F16"), (torch.bfloat16, "BF16")])
def test_only_matrices_are_rounded(dtype: torch.dtype, word: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = loud(LLAMAS["apart"])
    found = read_gguf(written(model, tokenizer, tmp_path, dtype))
    state = build_model(found.config, tmp_path, lambda: found.tensors).state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(state[name], tensor.to(dtype).float() if tensor.dim() == 2 else tensor), name


def test_positions_of_a_gpt2_stay_in_float32(tokenizer: Tokenizer, tmp_path: Path) -> None:
    container = read_container(written(loud(GPT2Config(**SIZES)), tokenizer, tmp_path, torch.bfloat16))
    assert {name for name, tensor in container.tensors.items() if tensor.kind == 0 and len(tensor.shape) > 1} == {
        "position_embd.weight"
    }
    assert container.metadata["general.architecture"] == "gpt2"
    assert container.metadata["general.file_type"] == 32


def test_what_llama_cpp_does_not_compute_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    bands = LlamaConfig(**LLAMA, scaling=replace(SCALING, low=2.0))
    for config, what in ((GPT3Config(**SIZES), "a gpt3"), (bands, "bands from 2")):
        with pytest.raises(ArtifactError, match=what):
            written(build(config), tokenizer, tmp_path)
    assert not list(tmp_path.iterdir())
