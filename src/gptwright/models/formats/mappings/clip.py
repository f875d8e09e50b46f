"""The folders of a CLIP, and of each of its encoders."""

from collections.abc import Mapping
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.patches import CHANNELS
from gptwright.models.clip import CLIPConfig
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision import ViTConfig

CONSTANTS = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
HARMLESS = ("projection_dim", "vocab_size", "dropout", "tie_word_embeddings", "logit_scale_init_value")
IMAGE_TENSORS = {
    "patches.project.": "vision_model.embeddings.patch_embedding.",
    "class_token.weight": "vision_model.embeddings.class_embedding",
    "positions.": "vision_model.embeddings.position_embedding.",
    "first_norm.": "vision_model.pre_layrnorm.",
    "blocks.": "vision_model.encoder.layers.",
    "norm.": "vision_model.post_layernorm.",
}
TEXT_TENSORS = {
    "embed.": "text_model.embeddings.token_embedding.",
    "positions.": "text_model.embeddings.position_embedding.",
    "blocks.": "text_model.encoder.layers.",
    "norm.": "text_model.final_layer_norm.",
}
BLOCK_TENSORS = {
    ".norm1.": ".layer_norm1.",
    ".norm2.": ".layer_norm2.",
    ".attention.qkv.": (".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj."),
    ".attention.out.": ".self_attn.out_proj.",
    ".mlp.up.": ".mlp.fc1.",
    ".mlp.down.": ".mlp.fc2.",
}


def read(table: Mapping[str, Any]) -> dict[str, Any]:
    """Their feed-forward width is free; only the paper's is computed here."""
    wide = 4 * table["hidden_size"]
    if table.get("intermediate_size", wide) != wide:
        raise ArtifactError(f"intermediate_size {wide}, 4 × hidden_size", repr(table["intermediate_size"]),
                            "Only such a CLIP can be computed.")  # fmt: skip
    return {}


def write(config: ViTConfig | GPT2Config) -> dict[str, object]:
    return {"intermediate_size": 4 * config.width}


def image_shapes(config: ViTConfig) -> dict[str, tuple[int, ...]]:
    """Theirs is the kernel of a convolution, and the class token a plain vector."""
    return {
        "vision_model.embeddings.patch_embedding.weight": (config.width, CHANNELS, config.patch, config.patch),
        "vision_model.embeddings.class_embedding": (config.width,),
    }


def clip_shapes(config: CLIPConfig) -> dict[str, tuple[int, ...]]:
    return image_shapes(config.image)


IMAGE = HuggingFaceMapping(
    model_type="clip_vision_model",
    language_model="CLIPVisionModel",
    prefix="vision_model.",
    sizes={
        "image_size": "image_size",
        "patch": "patch_size",
        "width": "hidden_size",
        "heads": "num_attention_heads",
        "layers": "num_hidden_layers",
    },
    constants={**CONSTANTS, "num_channels": CHANNELS},
    dropouts=("attention_dropout",),
    harmless=HARMLESS,
    tensors=IMAGE_TENSORS | BLOCK_TENSORS,
    buffers=(".position_ids",),
    shapes=image_shapes,
    read=read,
    write=write,
)
TEXT = HuggingFaceMapping(
    model_type="clip_text_model",
    language_model="CLIPTextModel",
    prefix="text_model.",
    sizes={
        "vocab": "vocab_size",
        "context": "max_position_embeddings",
        "width": "hidden_size",
        "heads": "num_attention_heads",
        "layers": "num_hidden_layers",
    },
    constants=CONSTANTS,
    dropouts=("attention_dropout",),
    harmless=HARMLESS,
    tensors=TEXT_TENSORS | BLOCK_TENSORS,
    read=read,
    write=write,
)
CLIP = HuggingFaceMapping(
    model_type="clip",
    language_model="CLIPModel",
    sizes={"embedding": "projection_dim"},
    harmless=HARMLESS,
    tensors={
        **{f"image.{ours}": theirs for ours, theirs in IMAGE_TENSORS.items()},
        **{f"text.{ours}": theirs for ours, theirs in TEXT_TENSORS.items()},
        "image_projection.": "visual_projection.",
        "log_scale": "logit_scale",
        **BLOCK_TENSORS,
    },
    buffers=(".position_ids",),
    shapes=clip_shapes,
)
