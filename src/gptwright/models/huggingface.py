"""Model folders of the ecosystem: `config.json` and `model.safetensors`, both ways.

`transformers`, vLLM and llama.cpp open what is written here, with no code of ours. No pickle: a `.bin` is refused.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gptwright.foundations.durable import MANIFEST, read_json, verify_folder, write_json
from gptwright.foundations.errors import ArtifactError, nearest
from gptwright.models.catalogue import FAMILIES, check_sizes, family_of
from gptwright.models.family import Family
from gptwright.models.heads import RewardModel

WEIGHTS = "model.safetensors"


def write_model(model: nn.Module, folder: Path, token_ids: dict[str, int]) -> None:
    """Writes the model in float32. `token_ids` go into config.json: `eos_token_id`, `pad_token_id`, …"""
    family = family_of(model.config)
    scores = isinstance(model, RewardModel)
    config: dict[str, Any] = {
        "architectures": [family.scorer if scores else family.language_model],
        "model_type": family.name,
        **{theirs: getattr(model.config, ours) for ours, theirs in family.sizes.items()},
        **family.constants,
        **dict.fromkeys(family.dropouts, 0.0),
        **token_ids,
        "dtype": "float32",
    }
    if scores:
        config |= {"num_labels": 1, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}
    write_json(folder / "config.json", config)
    save_file(_their_tensors(model, family), folder / WEIGHTS, metadata={"format": "pt"})


def read_model(folder: Path) -> nn.Module:
    """A decoder, or a `RewardModel` when the folder holds one, in float32.

    Raises `ArtifactError` naming what is missing, damaged, unknown or of the wrong shape, `ConfigError` for sizes that
    contradict each other.
    """
    if (folder / MANIFEST).is_file():
        verify_folder(folder)
    table = read_json(folder / "config.json")
    family, config = _understood(table, folder / "config.json")
    with torch.device("meta"):
        model: nn.Module = family.model(config)
        if table.get("architectures") == [family.scorer]:
            model = RewardModel(model)
    model.load_state_dict(_our_tensors(model, family, folder), assign=True)
    return model


def _understood(table: Any, path: Path) -> tuple[Family, Any]:
    """The family and its configuration, once it is certain that we would compute what the folder's maker computed."""
    name = str(table.get("model_type", "")) if isinstance(table, dict) else ""
    if name not in FAMILIES:
        raise ArtifactError(f"a model_type of the catalogue in {path}", f"'{name}'", nearest(name, FAMILIES))
    family = FAMILIES[name]
    for theirs in family.sizes.values():
        if type(table.get(theirs)) is not int:
            raise ArtifactError(f"a whole number as '{theirs}' in {path}", repr(table.get(theirs)),
                                "Restore the file from its source.")  # fmt: skip
    for theirs, value in family.constants.items():
        if table.get(theirs, value) != value:
            raise ArtifactError(
                f"{theirs} = {value!r} in {path}", repr(table[theirs]), f"Only such a {name} can be computed."
            )
    config = family.config(**{ours: table[theirs] for ours, theirs in family.sizes.items()})
    check_sizes(config)
    return family, config


def _their_tensors(model: nn.Module, family: Family) -> dict[str, Tensor]:
    return {
        theirs: (
            tensor.detach().float().T if theirs.endswith(family.transposed) else tensor.detach().float()
        ).contiguous()
        for ours, tensor in model.state_dict().items()
        for theirs in [_their_name(ours, family)]
    }


def _their_name(ours: str, family: Family) -> str:
    if ours.startswith("head.score."):
        return ours.removeprefix("head.")
    return family.prefix + family.theirs(ours.removeprefix("trunk."))


def _our_tensors(model: nn.Module, family: Family, folder: Path) -> dict[str, Tensor]:
    found = _load(folder)
    tensors: dict[str, Tensor] = {}
    for ours, expected in model.state_dict().items():
        theirs = _their_name(ours, family)
        tensor = found.get(theirs, found.get(theirs.removeprefix(family.prefix)))
        if tensor is None:
            raise ArtifactError(f"the tensor {theirs} in {folder / WEIGHTS}", "nothing of that name",
                                "The folder is incomplete: restore it from its source.")  # fmt: skip
        tensor = (tensor.T if theirs.endswith(family.transposed) else tensor).float().contiguous()
        if tensor.shape != expected.shape:
            raise ArtifactError(f"{theirs} of shape {tuple(expected.shape)}", f"{tuple(tensor.shape)}",
                                "config.json and the weights do not belong together.")  # fmt: skip
        tensors[ours] = tensor
    return tensors


def _load(folder: Path) -> dict[str, Tensor]:
    index = folder / f"{WEIGHTS}.index.json"
    names = sorted(set(read_json(index)["weight_map"].values())) if index.is_file() else [WEIGHTS]
    tensors: dict[str, Tensor] = {}
    for name in names:
        path = folder / name
        if not path.is_file():
            remedy = "Restore the folder, or run its stage again."
            if list(folder.glob("*.bin")) or list(folder.glob("*.pt")):
                remedy = "A .bin or .pt is a pickle and can run code: convert it to safetensors where you trust it."
            raise ArtifactError(f"the weights {path}", "nothing there", remedy)
        try:
            tensors |= load_file(path)
        except (SafetensorError, json.JSONDecodeError, OSError) as error:
            raise ArtifactError(f"whole safetensors in {path}", f"a damaged file ({error})",
                                "Restore it from a copy, or run its stage again.") from error  # fmt: skip
    return tensors
