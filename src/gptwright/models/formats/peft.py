"""Adapters in PEFT's format, both ways: `adapter_config.json` and `adapter_model.safetensors`.

`peft` opens what is written here over transformers' own model. `base.json`, which it does not read, lies beside: the
family and a hash of the weights that the adapter was trained on.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from itertools import accumulate
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from gptwright.foundations.atomic_io import MANIFEST, new_folder, read_json, verify_folder, write_json
from gptwright.foundations.errors import ArtifactError
from gptwright.layers.lora import lora_layers
from gptwright.models.config import config_of
from gptwright.models.decoder import Decoder
from gptwright.models.formats.huggingface import mapping_of, their_names
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.formats.weights import Weights
from gptwright.models.heads import RewardModel, SequenceModel, with_head

CONFIG, WEIGHTS, BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"
PREFIX, A, B = "base_model.model.", "lora_A.weight", "lora_B.weight"
HEAD = "score.weight"
REMEDY = "Give the model that the adapter was trained on, or merge it with the tool that made it."
MORE_TOKENS = "It was trained with more tokens than the base has: give the whole model, which lies beside it."
# Settings that would make something else of it than W + s · B A, and what they must be.
PLAIN: Mapping[str, Any] = {"peft_type": "LORA", "bias": "none", "use_dora": False, "alpha_pattern": {},
                            "layer_replication": None, "alora_invocation_tokens": None}  # fmt: skip
KEEPS_BASE = (True, False, "gaussian", "orthogonal", "eva")  # ways to begin that leave W as it was


def adapter_folder(given: Path) -> Path:
    """The adapter in a stage's folder, or the folder itself when it is one."""
    found = next((folder for folder in (given, given / "adapter") if (folder / CONFIG).is_file()), None)
    if found is None:
        raise ArtifactError(f"an adapter in {given}", f"no {CONFIG} there",
                            "Give the folder of a stage with --lora, or one that peft wrote.")  # fmt: skip
    return found


def trunk_of(model: nn.Module) -> nn.Module:
    """What an adapter adapts: the model without a head."""
    return model.trunk if isinstance(model, SequenceModel) else model


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of the weights in bfloat16: it is that of a copy in bfloat16 too."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().bfloat16().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_adapter(model: nn.Module, base: nn.Module, folder: Path, name: str) -> None:
    """Writes the folder whole or not at all: the low-rank paths of `model`, and what else of it is not in the trunk
    `base` that it began as. `name` is what opens the base."""
    mapping, layers = mapping_of(config_of(model)), lora_layers(trunk_of(model))
    first = next(iter(layers.values()))
    other = dict(_other_tensors(model, base, mapping))
    tensors, modules = dict(other), dict[str, None]()
    for ours, layer in layers.items():
        names = their_names(f"{ours}.weight", mapping)
        for theirs, rows in zip(names, layer.lora_b.chunk(len(names)), strict=True):
            module = theirs.removesuffix("weight")
            tensors |= {module + A: layer.lora_a, module + B: rows}
            modules[re.split(r"\.\d+\.", module)[-1].removesuffix(".")] = None
    config = {
        "peft_type": "LORA",
        "task_type": _task_type(model),
        "base_model_name_or_path": name,
        "r": first.rank,
        "lora_alpha": first.scale * first.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": ".attn.c_attn.weight" in mapping.transposed,
        "target_modules": list(modules),
        "modules_to_save": sorted({theirs.split(".")[-2] for theirs in other}) or None,
        "inference_mode": True,
    }
    about: dict[str, object] = {"family": config_of(base).family, "sha256": fingerprint(base)}
    if isinstance(model, SequenceModel):
        about |= {"labels": list(model.labels), "several": model.several}
    if isinstance(model, RewardModel):
        about["mean"] = model.head.mean
    whole = {PREFIX + theirs: tensor.detach().float().cpu().clone(memory_format=torch.contiguous_format)
             for theirs, tensor in tensors.items()}  # fmt: skip
    with new_folder(folder) as unfinished:
        write_json(unfinished / CONFIG, config)
        write_json(unfinished / BASE, about)
        save_file(whole, unfinished / WEIGHTS, metadata={"format": "pt"})


def _task_type(model: nn.Module) -> str | None:
    if isinstance(model, SequenceModel):
        return "SEQ_CLS"
    return "CAUSAL_LM" if isinstance(model, Decoder) else None


def _other_tensors(model: nn.Module, base: nn.Module, mapping: HuggingFaceMapping) -> Iterator[tuple[str, Tensor]]:
    """What is neither of a low-rank path nor of the base, a head above all."""
    before = base.state_dict()
    for ours, tensor in model.state_dict().items():
        old = before.get(ours.removeprefix("trunk."))
        same = old is not None and old.shape == tensor.shape and torch.equal(old, tensor.to(old))
        if not same and not ours.endswith((".lora_a", ".lora_b", ".lora_rows")):
            names = their_names(ours, mapping)
            for theirs, rows in zip(names, tensor.chunk(len(names)), strict=True):
                yield theirs, rows.T if theirs.endswith(mapping.transposed) else rows


@torch.no_grad()
def with_adapter(network: nn.Module, folder: Path) -> nn.Module:
    """The model with the adapter of `folder` merged into it, under a head of the adapter's own if it has one.

    Raises `ArtifactError` when it was trained on another base, or is more than W + s · B A.
    """
    trunk = trunk_of(network)
    tensors, config, about = _opened(trunk, folder)
    mapping = mapping_of(config_of(trunk))
    places = _places(trunk, mapping)
    if HEAD in tensors:
        score = tensors.pop(HEAD)
        labels = about.get("labels") or [f"LABEL_{id}" for id in range(len(score))]
        several, mean = about.get("several") is True, about.get("mean", 0.0)
        network = with_head(trunk, labels, several=several, mean=mean)
        network.head.load_state_dict({HEAD: score})
    for name, a, b in _pairs(tensors, config):
        _place(name, (len(b), a.shape[1]), places, folder).rows.add_(b @ a)
    for name, tensor in tensors.items():
        given = tensor.T if name.endswith(mapping.transposed) else tensor
        _place(name, given.shape, places, folder).rows.copy_(given)
    return network


def paths_of(trunk: nn.Module, folder: Path) -> dict[str, tuple[Float[Tensor, "R I"], Float[Tensor, "O R"]]]:
    """What the adapter of `folder` adds to layers of `trunk`, by their names: the A and B of W + B A.

    Raises `ArtifactError` as `with_adapter` does, and when it has more than such paths.
    """
    tensors, config, _ = _opened(trunk, folder)
    places, found = _places(trunk, mapping_of(config_of(trunk))), dict[str, list[tuple[int, Tensor, Tensor]]]()
    for name, a, b in _pairs(tensors, config):
        place = _place(name, (len(b), a.shape[1]), places, folder)
        found.setdefault(place.layer, []).append((place.first, a, b))
    modules = dict(trunk.named_modules())
    other = [*tensors, *(name for name in found if not isinstance(modules[name], nn.Linear))]
    if other:
        raise ArtifactError(f"low-rank paths alone in {folder}, beside a base that others compute with too",
                            f"{other[0]} as well", "Give the whole model, which lies beside it.")  # fmt: skip
    return {name: _joined(parts, modules[name]) for name, parts in found.items()}


def _joined(parts: list[tuple[int, Tensor, Tensor]], layer: nn.Module) -> tuple[Tensor, Tensor]:
    """One path of those beside rows of a layer's matrix, each with the first of its rows."""
    a = torch.cat([a for _, a, _ in parts])
    b, column = torch.zeros(cast(nn.Linear, layer).out_features, len(a)), 0
    for first, one, rows in parts:
        b[first : first + len(rows), column : column + len(one)] = rows
        column += len(one)
    return a, b


def _opened(trunk: nn.Module, folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """The tensors of an adapter of `trunk`, its configuration, and what is said of its base."""
    if (folder / MANIFEST).is_file():
        verify_folder(folder)
    config, about = _plain(folder), _table(folder / BASE)
    _check_base(trunk, about, folder)
    return {name.removeprefix(PREFIX): tensor for name, tensor in Weights(folder, WEIGHTS).items()}, config, about


def _pairs(tensors: dict[str, Tensor], config: Mapping[str, Any]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Takes the paths out of the tensors: of a matrix its name, A, and B with the scale."""
    for name in [name for name in tensors if name.endswith(A)]:
        module = name.removesuffix(A)
        a, b = tensors.pop(name), tensors.pop(module + B, torch.empty(0, 0))
        yield module + "weight", a, _scale(config, len(a)) * b


class _Place(NamedTuple):
    """Rows of a matrix of ours, from the `first` on, and the layer that has it."""

    layer: str
    first: int
    rows: Tensor


def _places(trunk: nn.Module, mapping: HuggingFaceMapping) -> dict[str, _Place]:
    """Where every tensor of theirs stands in ours, with and without the prefix of a whole model."""
    found = dict[str, _Place]()
    for ours, tensor in trunk.state_dict().items():
        names, layer = their_names(ours, mapping), ours.rpartition(".")[0]
        chunks = tensor.chunk(len(names))
        starts = accumulate(map(len, chunks), initial=0)
        found |= {name: _Place(layer, first, rows) for name, first, rows in zip(names, starts, chunks, strict=False)}
    return {name.removeprefix(mapping.prefix): place for name, place in found.items()} | found


def _place(name: str, shape: tuple[int, ...], places: Mapping[str, _Place], folder: Path) -> _Place:
    if name not in places:
        raise ArtifactError(f"parts of the model that is given, in the adapter {folder}", f"one of {name}", REMEDY)
    rows = places[name].rows
    if rows.shape != shape:
        has_more_tokens = shape[1:] == rows.shape[1:] and shape[0] > len(rows)
        raise ArtifactError(f"an adapter of {name} of shape {tuple(rows.shape)}", f"one of {tuple(shape)}",
                            MORE_TOKENS if has_more_tokens else REMEDY)  # fmt: skip
    return places[name]


def _scale(config: Mapping[str, Any], rank: int) -> float:
    return config["lora_alpha"] / (sqrt(rank) if config.get("use_rslora") else rank)


def _table(path: Path) -> dict[str, Any]:
    """Empty where there is no such file: other tools write no `base.json`."""
    table = read_json(path) if path.is_file() else {}
    if not isinstance(table, dict):
        raise ArtifactError(f"a table in {path}", type(table).__name__, "Restore the file from its source.")
    return cast("dict[str, Any]", table)


def _plain(folder: Path) -> dict[str, Any]:
    """The adapter's configuration, once it is certain that it means W + s · B A."""
    path = folder / CONFIG
    config = _table(path)
    for name, needed in PLAIN.items():
        if (got := config.get(name, needed)) != needed and (got or needed):
            raise ArtifactError(f"{name} {needed!r} in {path}", repr(got)[:60], REMEDY)
    if (begun := config.get("init_lora_weights", True)) not in KEEPS_BASE:
        raise ArtifactError(f"an adapter that leaves its base as it was, in {path}", f"init_lora_weights {begun!r}",
                            REMEDY)  # fmt: skip
    if type(config.get("lora_alpha")) not in (int, float):
        raise ArtifactError(f"a number as 'lora_alpha' in {path}", repr(config.get("lora_alpha"))[:60],
                            "Restore the file from its source.")  # fmt: skip
    return config


def _check_base(trunk: nn.Module, about: Mapping[str, Any], folder: Path) -> None:
    family = config_of(trunk).family
    if about.get("family", family) != family:
        raise ArtifactError(f"an adapter of a {family} in {folder}", f"one of a {about['family']}", REMEDY)
    if "sha256" in about and about["sha256"] != fingerprint(trunk):
        raise ArtifactError(f"the {family} that the adapter {folder} was trained on", "one with other weights", REMEDY)
