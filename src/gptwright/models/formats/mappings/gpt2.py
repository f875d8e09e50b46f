"""A GPT-2's folders."""

from collections.abc import Mapping
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.gpt2 import GPT2Config


def read(table: Mapping[str, Any]) -> dict[str, Any]:
    """Their feed-forward width is free; only the paper's is computed here."""
    wide = 4 * table["n_embd"]
    if table.get("n_inner") not in (None, wide):
        raise ArtifactError(f"n_inner {wide}, 4 × n_embd", repr(table["n_inner"]), "Only such a gpt2 can be computed.")
    return {}


def write(_: GPT2Config) -> dict[str, object]:
    return {"n_inner": None}


MAPPING = HuggingFaceMapping(
    model_type="gpt2",
    language_model="GPT2LMHeadModel",
    scorer="GPT2ForSequenceClassification",
    prefix="transformer.",
    sizes={
        "vocab": "vocab_size",
        "context": "n_positions",
        "width": "n_embd",
        "heads": "n_head",
        "layers": "n_layer",
    },
    constants={
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "tie_word_embeddings": True,
        "add_cross_attention": False,
    },
    dropouts=("attn_pdrop", "embd_pdrop", "resid_pdrop"),
    harmless=("reorder_and_upcast_attn", "n_ctx"),
    tensors={
        "embed.": "transformer.wte.",
        "positions.": "transformer.wpe.",
        "blocks.": "transformer.h.",
        "norm.": "transformer.ln_f.",
        ".norm1.": ".ln_1.",
        ".norm2.": ".ln_2.",
        ".attention.qkv.": ".attn.c_attn.",
        ".attention.out.": ".attn.c_proj.",
        ".mlp.up.": ".mlp.c_fc.",
        ".mlp.down.": ".mlp.c_proj.",
    },
    transposed=(".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight"),
    tied={"lm_head.weight": "embed.weight"},
    buffers=(".attn.bias", ".attn.masked_bias"),
    read=read,
    write=write,
)
