"""Folders of a CLIP, as `transformers`' CLIPModel has them, both ways."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gptwright.foundations.atomic_io import write_json
from gptwright.models import clip
from gptwright.models.catalogue import check_sizes
from gptwright.models.clip import CLIP, CLIPConfig
from gptwright.models.formats.composite import read_table, sub_table
from gptwright.models.formats.config_fields import check_fields
from gptwright.models.formats.huggingface import check_kinds, config_table, our_tensors, sizes_of, their_tensors
from gptwright.models.formats.mappings import clip as mappings
from gptwright.models.formats.weights import SHARD, Weights, write_weights
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision import ViTConfig

UNSAID = clip.PRESETS["clip-b-32"]  # what transformers takes where a folder leaves a field out


def read_clip(folder: Path) -> CLIP:
    """The folder's model in float32. Raises as `read_model` does."""
    path = folder / "config.json"
    config = _config(read_table(folder, mappings.CLIP.model_type), path)
    weights = Weights(folder)
    with torch.device("meta"):
        model = CLIP(config)
    found = {name: name for name in weights}
    model.load_state_dict(our_tensors(model, mappings.CLIP, found, weights, path), assign=True)
    return model.eval()


def write_clip(
    model: CLIP, folder: Path, token_ids: Mapping[str, int], dtype: torch.dtype = torch.float32, shard: int = SHARD
) -> None:
    """Writes config.json and the weights. `token_ids` are the text encoder's: `eos_token_id`, where a text ends, …"""
    config = model.config
    write_json(folder / "config.json", {
        **config_table(config, mappings.CLIP),
        "architectures": [mappings.CLIP.language_model],
        "dtype": str(dtype).removeprefix("torch."),
        "text_config": config_table(config.text, mappings.TEXT) | dict(token_ids),
        "vision_config": config_table(config.image, mappings.IMAGE),
    })  # fmt: skip
    write_weights(dict(their_tensors(model, mappings.CLIP, dtype)), folder, shard)


def image_config(table: Mapping[str, Any], unsaid: ViTConfig, path: Path) -> ViTConfig:
    """The image encoder that a folder's config.json describes under `vision_config`."""
    found = sub_table(table, "vision_config", config_table(unsaid, mappings.IMAGE), path)
    return sizes_of(unsaid, mappings.IMAGE, found, path)


def _config(found: Mapping[str, Any], path: Path) -> CLIPConfig:
    table = {"projection_dim": UNSAID.embedding} | dict(found)
    apart = ("vision_config", "text_config", "vision_config_dict", "text_config_dict")
    check_fields({name: value for name, value in table.items() if name not in apart}, mappings.CLIP, (), path)
    text: GPT2Config = sizes_of(
        UNSAID.text,
        mappings.TEXT,
        sub_table(table, "text_config", config_table(UNSAID.text, mappings.TEXT), path),
        path,
    )
    check_sizes(text)
    check_kinds(CLIPConfig, mappings.CLIP, table, path)
    image = image_config(table, UNSAID.image, path)
    return CLIPConfig(image=image, text=text, embedding=table["projection_dim"])
