"""A Transformer's folders: those of Marian's translators."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.positions import sinusoids
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.transformer import TransformerConfig

# Settings of Marian's that say what the paper does; older folders have more of them, and none may say otherwise.
CONSTANTS = {
    "activation_function": "relu", "scale_embedding": True, "share_encoder_decoder_embeddings": True,
    "tie_word_embeddings": True, "is_encoder_decoder": True,
}  # fmt: skip
OLDER = {"normalize_before": False, "normalize_embedding": False, "add_final_layer_norm": False,
         "static_position_embeddings": True, "add_bias_logits": False, "extra_pos_embeddings": 0}  # fmt: skip
HALVES = {"layers": "layers", "ffn_dim": "hidden", "attention_heads": "heads"}


def read(table: Mapping[str, Any]) -> dict[str, Any]:
    """Refuses what is not the paper's Transformer. An unsaid activation would be their GELU, an unsaid scale 1."""
    for name in ("activation_function", "scale_embedding"):
        if name not in table:
            raise ArtifactError(f"{name} = {CONSTANTS[name]!r}, said", "a configuration without it", "Write it there.")
    same = {f"decoder_{name}": table[f"encoder_{name}"] for name in HALVES} | {
        "decoder_vocab_size": table["vocab_size"]
    }
    for name, value in (same | OLDER).items():
        if table.get(name) not in (None, value):
            raise ArtifactError(f"{name} = {value!r}", repr(table[name]), "Only such a Marian model can be computed.")
    return {}


def write(config: TransformerConfig) -> Mapping[str, object]:
    """The decoder's sizes, which are the encoder's. Unsaid, token 0 would be forced upon the end of long targets."""
    sizes = {f"decoder_{theirs}": getattr(config, ours) for theirs, ours in HALVES.items()}
    return sizes | {"decoder_vocab_size": config.vocab, "forced_eos_token_id": None}


def positions(config: TransformerConfig) -> Tensor:
    """What their folders may store of the sinusoids."""
    return sinusoids(torch.arange(config.context), config.width)


MAPPING = HuggingFaceMapping(
    model_type="marian",
    language_model="MarianMTModel",
    prefix="model.",
    sizes={
        "vocab": "vocab_size",
        "context": "max_position_embeddings",
        "width": "d_model",
        "dropout": "dropout",
        **{ours: f"encoder_{theirs}" for theirs, ours in HALVES.items()},
    },
    constants=CONSTANTS,
    dropouts=("attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop"),
    harmless=(*OLDER, "num_hidden_layers"),
    tensors={
        "embed.": "model.shared.",
        "encoder.": "model.encoder.layers.",
        "decoder.": "model.decoder.layers.",
        ".norm1.": ".self_attn_layer_norm.",
        ".cross_norm.": ".encoder_attn_layer_norm.",
        ".norm2.": ".final_layer_norm.",
        ".attention.qkv.": (".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj."),
        ".attention.out.": ".self_attn.out_proj.",
        ".cross.query.": ".encoder_attn.q_proj.",
        ".cross.key.": ".encoder_attn.k_proj.",
        ".cross.value.": ".encoder_attn.v_proj.",
        ".cross.out.": ".encoder_attn.out_proj.",
        ".mlp.up.": ".fc1.",
        ".mlp.down.": ".fc2.",
    },
    tied={"lm_head.weight": "embed.weight", ".embed_tokens.weight": "embed.weight"},
    computed={".embed_positions.weight": positions},
    zeros=lambda config: {"final_logits_bias": (1, config.vocab)},
    read=read,
    write=write,
)
