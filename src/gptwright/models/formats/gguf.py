"""LLaMA out of a GGUF file: sizes and weights under the names and in the order of Hugging Face, in float32."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.gguf_config import check_kind, llama_config
from gptwright.models.formats.gguf_container import Container, GGUFTensor, block_sizes, read_container
from gptwright.models.formats.gguf_tensors import NAMES, ROTATION, reordered
from gptwright.models.formats.mappings.llama import MAPPING

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
# What Hugging Face calls what llama.cpp calls so, of a LLaMA.
THEIRS = {name: str(MAPPING.tensors[ours]) for ours, name in NAMES.items() if ours in MAPPING.tensors}
MODEL_NAMES = {f"{name}weight": f"{THEIRS[name]}weight" for name in ("token_embd.", "output_norm.")}
BLOCK_NAMES = {name.strip("."): theirs.strip(".") for name, theirs in THEIRS.items() if name.startswith(".")}
AT_ONCE = 1 << 20  # numbers that are made from their blocks at a time: so much fits in a processor's cache


@dataclass(frozen=True, kw_only=True)
class Gguf:
    """A model as a Hugging Face folder would hold it: `config` is its config.json, `tensors` its weights in float32.

    `metadata` are the file's own values; the tokenizer and the chat template are among them.
    """

    metadata: Mapping[str, Any]
    config: dict[str, Any]
    tensors: dict[str, Tensor]


def read_gguf(path: Path) -> Gguf:
    """Reads a LLaMA of any quantisation that the `gguf` package can undo.

    Everything is checked before the first weight is read. Raises `ArtifactError` naming what is missing, damaged, of
    another architecture or contradicts something else, `ConfigError` when the `gguf` package is missing.
    """
    container = read_container(path)
    check_kind(container.metadata, path)
    _check_types(container)
    embedding = _stored(container, EMBEDDING)
    turns = container.tensors.get(ROTATION)
    factors = None if turns is None else _numbers(container, ROTATION, turns).flatten().tolist()
    config = llama_config(container.metadata, embedding.shape[0], OUTPUT not in container.tensors, factors, path)
    names = _names(config, container)
    tensors = {
        theirs: reordered(name, _numbers(container, name, container.tensors[name]), config["head_dim"], to_pairs=False)
        for name, theirs in names.items()
    }
    return Gguf(metadata=container.metadata, config=config, tensors=tensors)


def _stored(container: Container, name: str) -> GGUFTensor:
    found = container.tensors.get(name)
    if found is None:
        raise ArtifactError(f"the tensor {name} in {container.path}", "nothing of that name",
                            "The file is incomplete, or no LLaMA: fetch it again.")  # fmt: skip
    return found


def _check_types(container: Container) -> None:
    """Every type is tried on one block of zeros, so that an unknown one is refused before anything is computed."""
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    first = {one.kind: name for name, one in reversed(container.tensors.items())}
    for kind, name in first.items():
        word, _, size = block_sizes()[kind]
        try:
            dequantize(np.zeros((1, size), np.uint8), GGMLQuantizationType(kind))
        except NotImplementedError as error:
            raise ArtifactError(f"a type of weights that can be read for {name} in {container.path}", word,
                                "Fetch the model in another quantisation, such as Q8_0.") from error  # fmt: skip


def _names(config: Mapping[str, Any], container: Container) -> dict[str, str]:
    """Hugging Face's name of every tensor, once all are known to be there in their shapes and no other."""
    if config["num_hidden_layers"] > len(container.tensors) // len(BLOCK_NAMES):
        raise ArtifactError(f"{len(BLOCK_NAMES)} tensors for each of {config['num_hidden_layers']} blocks in "
                            f"{container.path}", f"{len(container.tensors)} in all",
                            "The file is incomplete: fetch it again.")  # fmt: skip
    names = dict(MODEL_NAMES)
    if not config["tie_word_embeddings"]:
        names[OUTPUT] = "lm_head.weight"
    for i in range(config["num_hidden_layers"]):
        names |= {f"blk.{i}.{n}.weight": f"model.layers.{i}.{theirs}.weight" for n, theirs in BLOCK_NAMES.items()}
    if unknown := sorted(container.tensors.keys() - names.keys() - {ROTATION}):
        raise ArtifactError(f"the tensors of a plain LLaMA in {container.path}", f"also {unknown[0]}",
                            "Fetch the model as a Hugging Face folder.")  # fmt: skip
    for name in names:
        found, expected = _stored(container, name).shape, _shape(name, config)
        if found != expected:
            raise ArtifactError(f"{name} of shape {expected} in {container.path}", str(found),
                                "The file's values and weights do not belong together: fetch it again.")  # fmt: skip
    return names


def _shape(name: str, config: Mapping[str, Any]) -> tuple[int, ...]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    groups = config["num_key_value_heads"] * config["head_dim"]
    shapes = {
        "attn_q": (queries, width),
        "attn_k": (groups, width),
        "attn_v": (groups, width),
        "attn_output": (width, queries),
        "ffn_gate": (inner, width),
        "ffn_up": (inner, width),
        "ffn_down": (width, inner),
        "token_embd": (config["vocab_size"], width),
        "output": (config["vocab_size"], width),
    }
    return shapes.get(name.split(".")[-2], (width,))


def _numbers(container: Container, name: str, stored: GGUFTensor) -> Tensor:
    """The tensor in float32. Raises `ArtifactError` when something in it is no finite number."""
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    rows, columns = math.prod(stored.shape[:-1]), stored.shape[-1]
    blocks = container.data[stored.start : stored.start + stored.size].reshape(rows, -1)
    tensor = torch.empty(stored.shape)
    numbers = tensor.view(rows, columns).numpy()
    step = max(1, AT_ONCE // columns)
    with np.errstate(all="ignore"):
        for row in range(0, rows, step):
            numbers[row : row + step] = dequantize(blocks[row : row + step], GGMLQuantizationType(stored.kind))
    least, most = (float(end) for end in torch.aminmax(tensor))
    if not math.isfinite(least) or not math.isfinite(most):
        raise ArtifactError(f"finite numbers in {name} of {container.path}", f"numbers from {least:g} to {most:g}",
                            "The file is damaged: fetch it again.")  # fmt: skip
    return tensor
