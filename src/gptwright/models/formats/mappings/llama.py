"""A LLaMA's folders."""

from collections.abc import Mapping
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.llama import LlamaConfig


def read(table: Mapping[str, Any]) -> dict[str, Any]:
    """What their configuration says of grouped keys, the rotary base and its scaling, under either of its spellings."""
    rope = table.get("rope_parameters") or table.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3"):
        raise ArtifactError("rotary positions of type default or llama3", repr(kind), "No other is computed here.")
    head_width = table["hidden_size"] // table["num_attention_heads"]
    if table.get("head_dim") not in (None, head_width):
        raise ArtifactError(f"head_dim {head_width}, the width by the heads", repr(table["head_dim"]),
                            "Only such a model can be computed.")  # fmt: skip
    found = {
        "kv_heads": table.get("num_key_value_heads") or table["num_attention_heads"],
        "base": float(rope.get("rope_theta", table.get("rope_theta", 10_000.0))),
        "tied": bool(table.get("tie_word_embeddings", False)),
    }
    if kind == "llama3":
        found["scaling"] = {
            "factor": rope["factor"],
            "low": rope["low_freq_factor"],
            "high": rope["high_freq_factor"],
            "original_context": rope["original_max_position_embeddings"],
        }
    return found


def write(config: LlamaConfig) -> dict[str, Any]:
    """The same in both spellings: transformers 5 reads `rope_parameters`, others `rope_theta` and `rope_scaling`."""
    table: dict[str, Any] = {
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.width // config.heads,
        "tie_word_embeddings": config.tied,
        "rope_theta": config.base,
    }
    stretch: dict[str, Any] = {"rope_type": "default"}
    if config.scaling:
        stretch = {
            "rope_type": "llama3",
            "factor": config.scaling.factor,
            "low_freq_factor": config.scaling.low,
            "high_freq_factor": config.scaling.high,
            "original_max_position_embeddings": config.scaling.original_context,
        }
        table["rope_scaling"] = stretch
    return table | {"rope_parameters": {**stretch, "rope_theta": config.base}}


MAPPING = HuggingFaceMapping(
    model_type="llama",
    language_model="LlamaForCausalLM",
    scorer="LlamaForSequenceClassification",
    prefix="model.",
    sizes={
        "vocab": "vocab_size",
        "context": "max_position_embeddings",
        "width": "hidden_size",
        "heads": "num_attention_heads",
        "layers": "num_hidden_layers",
        "hidden": "intermediate_size",
        "epsilon": "rms_norm_eps",
    },
    constants={"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
    dropouts=("attention_dropout",),
    harmless=("rope_scaling",),
    tensors={
        "embed.": "model.embed_tokens.",
        "unembed.": "lm_head.",
        "blocks.": "model.layers.",
        "norm.": "model.norm.",
        ".norm1.": ".input_layernorm.",
        ".norm2.": ".post_attention_layernorm.",
        ".attention.query.": ".self_attn.q_proj.",
        ".attention.key.": ".self_attn.k_proj.",
        ".attention.value.": ".self_attn.v_proj.",
        ".attention.out.": ".self_attn.o_proj.",
        ".mlp.gate.": ".mlp.gate_proj.",
        ".mlp.up.": ".mlp.up_proj.",
        ".mlp.down.": ".mlp.down_proj.",
    },
    tied={"lm_head.weight": "embed.weight"},
    buffers=(".rotary_emb.inv_freq",),
    read=read,
    write=write,
)
