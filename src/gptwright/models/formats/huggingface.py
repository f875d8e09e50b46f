"""Model folders of the ecosystem: `config.json` and safetensors, both ways.

`transformers`, vLLM and llama.cpp open what is written here, with no code of ours, where they know the architecture.
No pickle: a `.bin` is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import torch
from torch import Tensor, nn

from gptwright.foundations.atomic_io import MANIFEST, read_json, verify_folder, write_json
from gptwright.foundations.config import decode, encode
from gptwright.foundations.errors import ArtifactError, nearest
from gptwright.foundations.progress import say
from gptwright.models.catalogue import FAMILIES, check_sizes
from gptwright.models.config import ModelConfig
from gptwright.models.family import Family
from gptwright.models.formats.config_fields import check_fields
from gptwright.models.formats.extra_tensors import check_extra_tensors
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.formats.mappings import bert, gpt1, gpt2, llama, transformer
from gptwright.models.formats.weights import SHARD, Weights, narrowed, write_weights
from gptwright.models.heads import RewardModel, SequenceModel, with_head
from gptwright.tokenizers.task_shapes import TaskShape

Config = TypeVar("Config")
OURS = "gptwright"  # the field of config.json that other tools pass over
SEVERAL = "multi_label_classification"  # what transformers' problem_type says of labels that are true by themselves
# transformers has no GPT-3 (GPT-Neo's banded layers lack biases and the 1/√D) and no modern: theirs are our own words.
MAPPINGS = {
    "transformer": transformer.MAPPING,
    "gpt1": gpt1.MAPPING,
    "gpt2": gpt2.MAPPING,
    "llama": llama.MAPPING,
    "bert": bert.MAPPING,
}


def write_model(
    model: nn.Module, folder: Path, token_ids: Mapping[str, int], dtype: torch.dtype = torch.float32, shard: int = SHARD
) -> None:
    """Writes config.json and the weights, in several files above `shard` bytes.

    `token_ids` go into config.json: `eos_token_id`, `pad_token_id`, …
    """
    sizes = cast(ModelConfig, model.config)
    mapping = mapping_of(sizes)
    config = config_table(sizes) | dict(token_ids)
    config |= {"architectures": [_architecture(model, mapping)], "dtype": str(dtype).removeprefix("torch.")}
    if isinstance(model, SequenceModel):
        config |= _label_fields(model)
    write_json(folder / "config.json", config)
    write_weights(dict(their_tensors(model, mapping, dtype)), folder, shard)


def mapping_of(config: ModelConfig | type[ModelConfig]) -> HuggingFaceMapping:
    """The names of the configuration's family in Hugging Face folders; our own where there are no others."""
    family = FAMILIES[config.family]
    name = family.model.__name__
    return MAPPINGS.get(family.name) or HuggingFaceMapping(
        model_type=family.name,
        language_model=name,
        scorer=f"{name}RewardModel",
        sizes={field.name: field.name for field in fields(family.config)},
    )


def config_table(config: Any, mapping: HuggingFaceMapping | None = None) -> dict[str, Any]:
    """The configuration in the words of a config.json: of its family's, where no `mapping` says whose."""
    mapping = mapping or mapping_of(config)
    return {
        "model_type": mapping.model_type,
        **{theirs: encode(getattr(config, ours)) for ours, theirs in mapping.sizes.items()},
        **mapping.constants,
        **dict.fromkeys(mapping.dropouts, 0.0),
        **mapping.write(config),
    }


def read_model(folder: Path) -> nn.Module:
    """The folder's model in float32; a `SequenceModel`, of reward or of classes, when it holds one.

    Raises `ArtifactError` naming what is missing, damaged, unknown or of the wrong shape, `ConfigError` for sizes that
    contradict each other.
    """
    if (folder / MANIFEST).is_file():
        verify_folder(folder)
    return build_model(read_json(folder / "config.json"), folder / "config.json", lambda: Weights(folder))


def build_model(table: Any, where: Path, load: Callable[[], Mapping[str, Tensor]]) -> nn.Module:
    """The model that a config.json's `table` describes, with the tensors that `load` gives under their names.

    Nothing is loaded before the table is understood. `where` names the source in messages.
    """
    family, config = understood(table, where)
    mapping = mapping_of(config)
    weights = load()
    found = {mapping.newer(name): name for name in weights}
    has_head = table.get("architectures") in ([name] for name in (mapping.scorer, mapping.chooser) if name)
    config = _with_own_output(config, mapping, found, weights, where)
    if has_head and not getattr(config, "tied", True) and _output_name(mapping) not in found:
        config = replace(config, tied=True)  # nothing is read from the output matrix of a trunk under a head
    with torch.device("meta"):
        model: nn.Module = family.model(config)
        _leave_out_absent_parts(model, mapping, found)
        if has_head:
            several = table.get("problem_type") == SEVERAL
            labels, shape = _labels(table, mapping, where)
            model = with_head(model, labels, shape, several=several, mean=_mean(table, where))
    model.load_state_dict(our_tensors(model, mapping, found, weights, where), assign=True)
    return model.eval()


def _with_own_output(
    config: Any, mapping: HuggingFaceMapping, found: Mapping[str, str], weights: Mapping[str, Tensor], where: Path
) -> Any:
    """The configuration, no longer tied where the weights hold an output matrix that is not the embedding: as
    `transformers` has it, what lies in the file counts."""
    output = _output_name(mapping)
    embedding = _place(their_names("embed.weight", mapping)[0], mapping, found)
    if not getattr(config, "tied", False) or not {output, embedding} <= found.keys():
        return config
    if torch.equal(weights[found[output]], weights[found[embedding]]):
        return config
    say(f"{where}: it says that the output matrix is the embedding, but {output} is another; that one is used")
    return replace(config, tied=False)


def _output_name(mapping: HuggingFaceMapping) -> str:
    """What the output matrix is called in their folders; empty where it is always the embedding."""
    return next((theirs for theirs, ours in mapping.tied.items() if ours == "embed.weight"), "")


def understood(table: Any, path: Path) -> tuple[Family, ModelConfig]:
    """The family and its configuration, once it is certain that we would compute what the folder's maker computed."""
    by_type = {mapping_of(family.config).model_type: family for family in FAMILIES.values()}
    name = str(table.get("model_type", "")) if isinstance(table, dict) else ""
    if name not in by_type:
        raise ArtifactError(f"a model_type of the catalogue in {path}", f"'{name}'", nearest(name, by_type))
    family = by_type[name]
    config = sizes_of(next(iter(family.presets.values())), mapping_of(family.config), table, path)
    check_sizes(config)
    return family, config


def sizes_of(example: Config, mapping: HuggingFaceMapping, table: Any, path: Path) -> Config:
    """A configuration like the `example` out of the `table`, of which nothing may be left that we would not compute.

    Raises `ArtifactError` naming the field of the file at `path`.
    """
    check_fields(table, mapping, mapping.write(example), path)
    check_kinds(type(example), mapping, table, path)
    sizes = {ours: table[theirs] for ours, theirs in mapping.sizes.items()}
    try:
        return decode(type(example), sizes | _read(mapping, table, path), str(path))
    except ArtifactError as error:
        raise ArtifactError(f"{error.needed} in {path}", error.got, error.remedy) from error


def check_kinds(config: type, mapping: HuggingFaceMapping, table: Any, path: Path) -> None:
    """Raises `ArtifactError` for a size of the `mapping` that is missing or not of the kind that `config` has."""
    kinds = {int: "a whole number", float: "a number", str: "a word"}
    for ours, theirs in mapping.sizes.items():
        kind = get_type_hints(config)[ours]
        value = table.get(theirs)
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ArtifactError(f"{kinds[kind]} as '{theirs}' in {path}", repr(value)[:60],
                                "Restore the file from its source.")  # fmt: skip


def _read(mapping: HuggingFaceMapping, table: Any, path: Path) -> dict[str, Any]:
    try:
        return mapping.read(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"a whole {mapping.model_type} configuration in {path}", f"a damaged one ({error})",
                            "Restore the file from its source.") from error  # fmt: skip


def _label_fields(model: SequenceModel) -> dict[str, Any]:
    shape = {} if model.shape is None else {OURS: {"task_shape": encode(model.shape)}}
    several = {"problem_type": SEVERAL} if model.several else {}
    mean = {"mean": model.head.mean, "std": 1.0} if isinstance(model, RewardModel) and model.head.mean else {}
    return (
        shape
        | several
        | mean
        | {
            "num_labels": len(model.labels),
            "id2label": {str(id): label for id, label in enumerate(model.labels)},
            "label2id": {label: id for id, label in enumerate(model.labels)},
        }
    )


def _labels(
    table: Mapping[str, Any], mapping: HuggingFaceMapping, where: Path
) -> tuple[Sequence[str], TaskShape | None]:
    """Names of the classes by their ids, and the task's shape where the folder says one."""
    match table.get(OURS):
        case {"task_shape": dict() as found}:
            shape = decode(TaskShape, cast("dict[str, Any]", found), str(where))
        case None:
            shape = None
        case other:
            raise ArtifactError(f"a task_shape under '{OURS}' in {where}", repr(other)[:60], "Restore the file.")
    if table["architectures"] == [mapping.chooser]:
        return ("choice",), shape
    return _class_names(table, where), shape


def _mean(table: Mapping[str, Any], where: Path) -> float:
    """What is taken off a reward, where OpenRLHF keeps it too; in `transformers` the logit stands as it is."""
    mean = table.get("mean", 0.0)
    if isinstance(mean, bool) or not isinstance(mean, int | float) or not isfinite(mean):
        raise ArtifactError(f"a number as 'mean' in {where}", repr(mean)[:60], "Restore the file from its source.")
    return float(mean)


def _class_names(table: Mapping[str, Any], where: Path) -> list[str]:
    """Folders that name none have two, as `transformers` has it."""
    named = table.get("id2label")
    if named is None:
        return [f"LABEL_{id}" for id in range(table.get("num_labels", 2))]
    known = cast("dict[str, Any]", named) if isinstance(named, dict) else {}
    labels = [label for id in range(len(known)) if isinstance(label := known.get(str(id)), str)]
    if not labels or len({*labels}) < len(known):
        raise ArtifactError(f"a different word for each id from 0 as 'id2label' in {where}", repr(named)[:60],
                            "Restore the file from its source.")  # fmt: skip
    return labels


def _architecture(model: nn.Module, mapping: HuggingFaceMapping) -> str:
    if isinstance(model, SequenceModel):
        chooses = model.shape is not None and model.shape.name == "multiple-choice"
        return mapping.chooser if chooses and mapping.chooser else mapping.scorer
    absent = {part for parts in mapping.without for part in parts if getattr(model, part) is None}
    name = mapping.architecture(absent)
    assert name is not None
    return name


def _leave_out_absent_parts(model: nn.Module, mapping: HuggingFaceMapping, found: Mapping[str, str]) -> None:
    """Sets to None what the weights have nothing of, where there are models without it: nothing is left to chance."""
    absent = {part for parts in mapping.without for part in parts}
    for ours in model.state_dict():
        if any(_place(name, mapping, found) in found for name in their_names(ours, mapping)):
            absent.discard(ours.split(".")[0])
    if mapping.architecture(absent) is not None:
        for part in absent:
            setattr(model, part, None)


def _place(name: str, mapping: HuggingFaceMapping, found: Mapping[str, str]) -> str:
    """Where a tensor lies: a trunk that was saved alone lacks the prefix."""
    return name if name in found else name.removeprefix(mapping.prefix)


def their_tensors(model: nn.Module, mapping: HuggingFaceMapping, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under their name, in their shape, in the format `dtype`."""
    shapes = mapping.shapes(model.config)
    alone = _architecture(model, mapping) == mapping.trunk
    for ours, tensor in model.state_dict().items():
        names = their_names(ours, mapping)
        if alone:
            names = tuple(name.removeprefix(mapping.prefix) for name in names)
        pieces = tensor.detach().chunk(len(names)) if len(names) > 1 else (tensor.detach(),)
        for name, piece in zip(names, pieces, strict=True):
            turned = piece.T if name.endswith(mapping.transposed) else piece.reshape(shapes.get(name, piece.shape))
            yield name, narrowed(name, turned, dtype, copy=len(names) > 1).contiguous()
    for name, shape in mapping.zeros(model.config).items():
        yield name, torch.zeros(shape, dtype=dtype)


def their_names(ours: str, mapping: HuggingFaceMapping) -> tuple[str, ...]:
    """Our tensor's name as their folder has it, a head's too: one name, or one for each piece of equal rows."""
    if ours.startswith("head.score."):
        return (ours.replace("head.score.", mapping.head),)
    return mapping.theirs(ours.removeprefix("trunk."))


def our_tensors(
    model: nn.Module, mapping: HuggingFaceMapping, found: Mapping[str, str], weights: Mapping[str, Tensor], where: Path
) -> dict[str, Tensor]:
    """Every tensor of the model, or of a part of one, out of theirs; `found` leads from a name to the one that
    `weights` has it under.

    Raises `ArtifactError` for one too few, too many or of another shape.
    """
    tensors, unused, config = dict[str, Tensor](), set(found), cast(Any, model).config
    shapes = mapping.shapes(config)
    for ours, expected in model.state_dict().items():
        pieces: list[Tensor] = []
        for name in their_names(ours, mapping):
            at = _place(name, mapping, found)
            if at not in found:
                raise ArtifactError(f"the tensor {name} in the weights beside {where}", "nothing of that name",
                                    "The folder is incomplete: restore it from its source.")  # fmt: skip
            unused.discard(at)
            piece = weights[found[at]]
            if piece.shape == shapes.get(name):
                piece = piece.reshape(expected.shape)
            pieces.append((piece.T if name.endswith(mapping.transposed) else piece).float())
        tensor = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        if tensor.shape != expected.shape:
            names = " + ".join(their_names(ours, mapping))
            raise ArtifactError(f"{names} of shape {tuple(expected.shape)}", str(tuple(tensor.shape)),
                                f"{where} and the weights do not belong together.")  # fmt: skip
        tensors[ours] = tensor.contiguous()
    for name in sorted(unused):
        check_extra_tensors(name, lambda name=name: weights[found[name]], tensors, mapping, config, where)
    return tensors
