"""One table of what may be passed over: with such a field transformers computes the same, and so do we."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.huggingface import read_model
from gptwright.models.generation_fields import EVERY

IDS = torch.arange(24)[None] * 7 % 60
FAMILIES = ("llama", "gpt2", "gpt1", "bert")
Make = Callable[..., Any]
# As folders in the wild have them: of older versions, of other tools, switched off, empty.
HARMLESS: dict[str, Any] = {
    "sliding_window": None, "quantization_config": None, "use_sliding_window": False, "torchscript": False,
    "pruned_heads": {}, "unsloth_version": "2024.9", "unsloth_fixed": True, "_attn_implementation_autoset": True,
    "bad_words_ids": None, "layer_types": ["full_attention"] * 2, "pretraining_tp": 2, "rope_scaling": None,
    "max_sequence_length": 2048, "auto_map": {"AutoModel": "x.Y"}, "_flash_attn_2_enabled": True, "use_bfloat16": True,
    "tie_encoder_decoder": False, "cross_attention_hidden_size": None, "add_cross_attention": False, "no_bias": True,
    "partial_rotary_factor": 1.0, "qkv_bias": False, "use_qk_norm": False, "final_logit_softcapping": None,
    "residual_multiplier": 1.0, "resid_pdrop": 0.1, "hidden_dropout": 0.1, "router_aux_loss_coef": 0.01,
    "num_local_experts": 0, "multiple_of": 256, "ffn_dim_multiplier": 1.3, "rope_interleaved": False,
    "is_llama_config": True, "attention_bias": False, "mlp_bias": None, "head_dim": None, "hidden_act": "swish",
    "temperature": 1.0, "top_k": 50, "do_sample": False, "max_length": 20, "num_beams": 1, "no_repeat_ngram_size": 0,
    "use_flash_attention": True, "z_loss_coefficient": 1e-4, "initializer_factor": 1.0, "tokenizer_class": "X",
    "max_window_layers": 28, "whatever": None, "suppress_tokens": [], "exponential_decay_length_penalty": None,
}  # fmt: skip
# Each of these makes another model of it, here or where the field comes from.
TELLING: dict[str, Any] = {
    "sliding_window": 16, "logit_softcapping": 30.0, "final_logit_softcapping": 30.0, "attention_bias": True,
    "mlp_bias": True, "hidden_act": "gelu", "head_dim": 8, "partial_rotary_factor": 0.5, "residual_multiplier": 0.2,
    "qk_layernorm": True, "num_local_experts": 8, "layer_types": ["full_attention", "sliding_attention"],
    "quantization_config": {"bits": 4}, "use_sliding_window": True, "pruned_heads": {"0": [1]}, "alibi": True,
    "never_heard_of": False, "rope_interleaved": True, "parallel_residual": True, "embedding_multiplier": True,
}  # fmt: skip


def same(folder: Path, reference: torch.Tensor) -> bool:
    with torch.no_grad():
        return bool((read_model(folder)(IDS) - reference).abs().max() <= 1e-4)


@pytest.fixture(scope="module")
def llama(made: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("llama")
    with torch.no_grad():
        logits = made("llama", folder)(IDS).logits
    return folder, (folder / "config.json").read_text(), logits


@pytest.mark.parametrize("field", HARMLESS)
def test_a_field_that_asks_for_nothing(llama: tuple[Path, str, torch.Tensor], change: Make, field: str) -> None:
    folder, config, logits = llama
    (folder / "config.json").write_text(config)
    change(folder, **{field: HARMLESS[field]})
    assert same(folder, logits)
    if field not in ("quantization_config", "mlp_bias"):  # theirs knows no null there
        theirs = transformers.LlamaForCausalLM.from_pretrained(folder)
        with torch.no_grad():
            assert torch.allclose(theirs(IDS).logits, logits, atol=1e-5)


@pytest.mark.parametrize("field", TELLING)
def test_a_field_that_may_change_the_logits(llama: tuple[Path, str, torch.Tensor], change: Make, field: str) -> None:
    folder, config, _ = llama
    (folder / "config.json").write_text(config)
    change(folder, **{field: TELLING[field]})
    with pytest.raises(ArtifactError, match=field):
        read_model(folder)


def test_a_window_as_long_as_the_context(llama: tuple[Path, str, torch.Tensor], change: Make) -> None:
    folder, config, logits = llama
    for more in ({"sliding_window": 64}, {"sliding_window": 8, "use_sliding_window": False}):
        (folder / "config.json").write_text(config)
        change(folder, **more)
        assert same(folder, logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_transformers_ever_wrote_into_every_folder(family: str, made: Make, change: Make, tmp_path: Path) -> None:
    """Its own fields at their defaults, those of generation among them."""
    model = made(family, tmp_path)
    old = transformers.GenerationConfig().to_dict() | {"max_length": 20, "temperature": 1.0, "top_k": 50}
    change(
        tmp_path, **old | transformers.PreTrainedConfig().to_dict() | json.loads((tmp_path / "config.json").read_text())
    )
    with torch.no_grad():
        assert same(tmp_path, model(IDS).logits)


def test_every_field_of_generation_is_in_the_table() -> None:
    assert transformers.GenerationConfig().to_dict().keys() <= EVERY


def test_a_feed_forward_width_that_is_said(made: Make, change: Make, tmp_path: Path) -> None:
    model = made("gpt2", tmp_path, n_inner=96, activation_function="gelu_pytorch_tanh")
    with torch.no_grad():
        assert same(tmp_path, model(IDS).logits)
    change(tmp_path, n_inner=90)
    with pytest.raises(ArtifactError, match="n_inner 96"):
        read_model(tmp_path)
