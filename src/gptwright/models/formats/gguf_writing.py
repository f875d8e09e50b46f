"""GPT-2 and LLaMA as llama.cpp has them: what a GGUF file says of their sizes, and their weights by its names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from gptwright.foundations.errors import ArtifactError
from gptwright.models.catalogue import family_of
from gptwright.models.decoder import Decoder
from gptwright.models.formats.gguf_config import llama3_factors
from gptwright.models.formats.gguf_container import Numbers, write_container
from gptwright.models.formats.gguf_tensors import NAMES, ROTATION, reordered
from gptwright.models.formats.weights import narrowed
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig

# ggml's word for a format, and llama.cpp's number for a file of it.
FORMATS = {torch.float32: ("F32", 0), torch.float16: ("F16", 1), torch.bfloat16: ("BF16", 32)}


def write_gguf(model: Decoder, path: Path, name: str, tokenizer: dict[str, Any], dtype: torch.dtype) -> None:
    """Writes the model with what `tokenizer` says of its tokenizer; matrices in `dtype`, the rest in float32.

    Raises `ArtifactError` for a family that llama.cpp does not compute, `InputError` for numbers that `dtype` has not,
    `ConfigError` when the `gguf` package is missing.
    """
    config: Any = model.config
    sizes = {GPT2Config: _gpt2, LlamaConfig: _llama}.get(type(config))
    family = family_of(config).name
    if sizes is None:
        raise ArtifactError("a GPT-2 or a LLaMA, to leave as GGUF", f"a {family}", "Export it with --to hf.")
    word, number = FORMATS[dtype]
    general = {"general.type": "model", "general.name": name, "general.file_type": number}
    values = general | {f"{family}.{key}": value for key, value in sizes(config).items()} | tokenizer
    write_container(path, family, values, _tensors(model, word))


def _gpt2(config: GPT2Config) -> dict[str, Any]:
    return {
        "context_length": config.context,
        "embedding_length": config.width,
        "feed_forward_length": 4 * config.width,
        "block_count": config.layers,
        "attention.head_count": config.heads,
        "attention.layer_norm_epsilon": 1e-5,
    }


def _llama(config: LlamaConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab,
        "context_length": config.context,
        "embedding_length": config.width,
        "feed_forward_length": config.hidden,
        "block_count": config.layers,
        "attention.head_count": config.heads,
        "attention.head_count_kv": config.kv_heads,
        "attention.layer_norm_rms_epsilon": config.epsilon,
        "rope.dimension_count": config.width // config.heads,
        "rope.freq_base": config.base,
    }


def _tensors(model: Decoder, word: str) -> Iterator[tuple[str, str, Numbers]]:
    dtype = next(dtype for dtype, (name, _) in FORMATS.items() if name == word)
    for ours, tensor in model.state_dict().items():
        theirs = _theirs(ours)
        matrix = tensor.dim() > 1 and not ours.startswith("positions.")  # llama.cpp adds positions in float32
        numbers = narrowed(theirs, tensor.detach(), dtype if matrix else torch.float32).float()
        numbers = reordered(theirs, numbers.cpu(), model.config.width // model.config.heads, to_pairs=True)
        yield theirs, word if matrix else "F32", numbers.numpy()
    scaling = getattr(model.config, "scaling", None)
    if scaling:
        yield ROTATION, "F32", _divisors(model.config)


def _theirs(ours: str) -> str:
    name = ours
    for mine, other in NAMES.items():
        if mine in name if mine.startswith(".") else name.startswith(mine):
            name = name.replace(mine, other, 1)
    return name


def _divisors(config: LlamaConfig) -> Numbers:
    scaling = config.scaling
    assert scaling
    if (scaling.low, scaling.high) != (1.0, 4.0):
        raise ArtifactError("wavelengths stretched as LLaMA 3.1 does, to leave as GGUF",
                            f"bands from {scaling.low:g} to {scaling.high:g}", "Export it with --to hf.")  # fmt: skip
    factors = llama3_factors(config.width // config.heads, config.base, scaling.factor, scaling.original_context)
    return torch.tensor(factors).numpy()
