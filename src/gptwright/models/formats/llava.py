"""Folders of a LLaVA, as `transformers`' LlavaForConditionalGeneration has them, both ways.

The decoder may be of any family; `transformers` opens those that it can put behind an image encoder, such as LLaMA.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gptwright.foundations.atomic_io import write_json
from gptwright.foundations.errors import ArtifactError
from gptwright.models import llama, vision
from gptwright.models.catalogue import FAMILIES
from gptwright.models.formats.clip import image_config
from gptwright.models.formats.composite import Part, read_table, sub_table
from gptwright.models.formats.config_fields import check_fields
from gptwright.models.formats.huggingface import (
    build_model,
    check_kinds,
    config_table,
    mapping_of,
    our_tensors,
    their_tensors,
    understood,
)
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.formats.mappings import clip as mappings
from gptwright.models.formats.weights import SHARD, Weights, narrowed, write_weights
from gptwright.models.vision_language import Projector, VisionLanguageConfig, VisionLanguageModel

LLAVA = HuggingFaceMapping(
    model_type="llava",
    language_model="LlavaForConditionalGeneration",
    sizes={"placeholder": "image_token_index", "layer": "vision_feature_layer"},
    constants={"vision_feature_select_strategy": "default", "multimodal_projector_bias": True},
    harmless=("image_seq_length", "ignore_index", "tie_word_embeddings", "projector_hidden_act"),
)
PROJECTOR = replace(LLAVA, tensors={"first.": "linear_1.", "second.": "linear_2."})
# What transformers takes where a folder leaves a field out.
UNSAID: dict[str, Any] = {"image_token_index": 32_000, "vision_feature_layer": -2, "projector_hidden_act": "gelu"}
UNSAID_IMAGE, UNSAID_TEXT = vision.PRESETS["vit-l-14-336"], llama.PRESETS["llama-7b"]
ACTIVATIONS: dict[Any, Literal["mlp", "linear"]] = {"gelu": "mlp", "linear": "linear"}
IMAGE, PROJECTION, TEXT = "vision_tower.", "multi_modal_projector.", "language_model."
# Names that transformers has since 4.52, as folders of all versions have them.
NEWER = {
    "model.language_model.": f"{TEXT}model.",
    "lm_head.": f"{TEXT}lm_head.",
    f"model.{IMAGE}": IMAGE,
    f"model.{PROJECTION}": PROJECTION,
}


def read_llava(folder: Path) -> VisionLanguageModel:
    """The folder's model in float32. Raises as `read_model` does."""
    path = folder / "config.json"
    table = UNSAID | read_table(folder, LLAVA.model_type)
    whole = {name: value for name, value in table.items() if name not in ("vision_config", "text_config")}
    check_fields(whole, LLAVA, (), path)
    check_kinds(VisionLanguageConfig, LLAVA, table, path)
    if (projector := ACTIVATIONS.get(table["projector_hidden_act"])) is None:
        raise ArtifactError(f"projector_hidden_act gelu or linear in {path}", repr(table["projector_hidden_act"]),
                            "No other is computed here.")  # fmt: skip
    image, weights = image_config(table, UNSAID_IMAGE, path), Weights(folder)
    parts = _parts(weights, path)
    decoder: Any = _decoder(_text_table(table, path), parts[TEXT], path)
    config = VisionLanguageConfig(
        image=image,
        text=decoder.config,
        placeholder=table["image_token_index"],
        projector=projector,
        layer=table["vision_feature_layer"],
    )
    with torch.device("meta"):
        model = VisionLanguageModel(config)
    model.decoder = decoder
    _fill(model.vision, mappings.IMAGE, parts[IMAGE], path)
    _fill(model.projector, PROJECTOR, parts[PROJECTION] if projector == "mlp" else _joined(parts[PROJECTION]), path)
    return model.eval()


def write_llava(
    model: VisionLanguageModel,
    folder: Path,
    token_ids: Mapping[str, int],
    dtype: torch.dtype = torch.float32,
    shard: int = SHARD,
) -> None:
    """Writes config.json and the weights. `token_ids` are the decoder's: `eos_token_id`, where a text ends, …"""
    config = model.config
    text = mapping_of(config.text)
    described, output = config_table(config.text), model.decoder.output
    # transformers ties to a matrix of this one name; of other decoders the output is written a second time
    embedding = text.theirs("embed.weight")[0]
    apart = described.get("tie_word_embeddings", False) and not embedding.endswith("embed_tokens.weight")
    if apart:
        described["tie_word_embeddings"] = False
    write_json(folder / "config.json", {
        **config_table(config, LLAVA),
        **token_ids,
        "architectures": [LLAVA.language_model],
        "dtype": str(dtype).removeprefix("torch."),
        "image_seq_length": config.image.patches,
        "projector_hidden_act": next(act for act, kind in ACTIVATIONS.items() if kind == config.projector),
        "tie_word_embeddings": output is model.decoder.embed.weight and not apart,
        "text_config": described | dict(token_ids) | {"architectures": [text.language_model]},
        "vision_config": config_table(config.image, mappings.IMAGE),
    })  # fmt: skip
    tensors = {f"{IMAGE}{name}": tensor for name, tensor in their_tensors(model.vision, mappings.IMAGE, dtype)}
    for name, tensor in _apart(model.projector).items():
        tensors[f"{PROJECTION}{name}"] = narrowed(name, tensor, dtype)
    for name, tensor in their_tensors(model.decoder, text, dtype):
        inner = f"model.{name.removeprefix(text.prefix)}" if name.startswith(text.prefix) else name
        tensors[f"{TEXT}{inner}"] = tensor
    if apart:
        tensors[f"{TEXT}lm_head.weight"] = narrowed("lm_head.weight", output.detach().clone(), dtype)
    write_weights(tensors, folder, shard)


def _parts(weights: Weights, path: Path) -> dict[str, Part]:
    """The tensors of encoder, projector and decoder, each under its own names."""
    names: dict[str, dict[str, str]] = {IMAGE: {}, PROJECTION: {}, TEXT: {}}
    for name in weights:
        newer = next((new for new in NEWER if name.startswith(new)), "")
        known = NEWER[newer] + name.removeprefix(newer) if newer else name
        part = next((part for part in names if known.startswith(part)), None)
        if part is None:
            raise ArtifactError(f"only tensors of a llava beside {path}", f"'{name}' too",
                                "This is another model, or a part of it is not computed here.")  # fmt: skip
        names[part][known.removeprefix(part)] = name
    return {part: Part(weights, found) for part, found in names.items()}


def _text_table(table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What describes the decoder: a LLaMA, where nothing else is said."""
    mapping = mapping_of(UNSAID_TEXT)
    text = sub_table(table, "text_config", {}, path)
    if text.setdefault("model_type", mapping.model_type) == mapping.model_type:
        text = {theirs: getattr(UNSAID_TEXT, ours) for ours, theirs in mapping.sizes.items()} | text
    if "tie_word_embeddings" in text:
        text["tie_word_embeddings"] = (
            text["tie_word_embeddings"] or table.get("tie_word_embeddings", False) or _always_tied(text["model_type"])
        )
    return text


def _always_tied(model_type: Any) -> bool:
    """Whether a decoder's output is its embedding whatever its table says; a copy that differs is refused."""
    mappings = (mapping_of(family.config) for family in FAMILIES.values())
    return any(each.model_type == model_type and each.constants.get("tie_word_embeddings") for each in mappings)


def _decoder(text: dict[str, Any], part: Part, path: Path) -> nn.Module:
    """Its own folders may have another word than `model` before the names of its trunk."""
    prefix = mapping_of(understood(text, path)[1]).prefix
    own = {prefix + name.removeprefix("model.") if name.startswith("model.") else name: name for name in part}
    return build_model(text, path, lambda: Part(part, own))


def _fill(module: nn.Module, mapping: HuggingFaceMapping, tensors: Mapping[str, Tensor], path: Path) -> None:
    module.load_state_dict(our_tensors(module, mapping, {name: name for name in tensors}, tensors, path), assign=True)


def _joined(two: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Two matrices with nothing between them are one."""
    if {*two} != {f"linear_{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}:
        return two
    first, second = ((two[f"linear_{i}.weight"], two[f"linear_{i}.bias"]) for i in (1, 2))
    return {"linear_1.weight": second[0] @ first[0], "linear_1.bias": second[0] @ first[1] + second[1]}


def _apart(projector: Projector) -> dict[str, Tensor]:
    """The two matrices that transformers has always, of one the second that changes nothing."""
    first, second = projector.first, projector.second
    width = len(first.bias)
    return {
        "linear_1.weight": first.weight.detach(),
        "linear_1.bias": first.bias.detach(),
        "linear_2.weight": torch.eye(width) if second is None else second.weight.detach(),
        "linear_2.bias": torch.zeros(width) if second is None else second.bias.detach(),
    }
