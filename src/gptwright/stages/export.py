"""export: leave a model as a folder, or a file, that other tools open."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.settings import Range, settings

FORMATS = ("hf", "gguf")
DTYPES = ("float32", "bfloat16", "float16")


@settings
class Export:
    """Write a model for other tools: a folder for transformers, vLLM and SGLang, or a file for llama.cpp."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, or what import takes"""
    out: Path
    """folder to write, new or empty; of a GGUF, a new file"""
    to: str = "hf"
    """hf: a Hugging Face folder; gguf: one file, of a GPT-2 or a LLaMA"""
    dtype: str = "float32"
    """format of the weights: float32, bfloat16 or float16"""
    shard_gb: Annotated[float, Range(0, 10**6, above=True)] = 5.0
    """most gigabytes in one file of a folder's weights"""

    def __post_init__(self) -> None:
        known(self.to, FORMATS, "format to export to")
        known(self.dtype, DTYPES, "format of weights")


def run(config: Export) -> None:
    """Prints the folder or the file."""
    import torch

    dtype = getattr(torch, config.dtype)
    if config.to == "gguf":
        _file(config, dtype)
    else:
        _folder(config, dtype)
    print(config.out)


def _folder(config: Export, dtype: Any) -> None:
    from gptwright.models.catalogue import family_of
    from gptwright.pipelines.load import load

    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise ConfigError(f"a new or empty folder at {config.out}", "something there", "Choose another with --out.")
    model = load(config.model)
    model.save(config.out, dtype=dtype, shard=int(config.shard_gb * 1e9))
    say(f"export: transformers opens it as {family_of(model.network.config).folder.language_model}")


def _file(config: Export, dtype: Any) -> None:
    from gptwright.pipelines.export import export_gguf
    from gptwright.pipelines.load import load_decoder

    if config.out.exists():
        raise ConfigError(f"a new file at {config.out}", "something there", "Choose another with --out.")
    model = load_decoder(config.model)
    export_gguf(model.network, model.tokenizer, config.out, model.name, dtype)
    say(f"export: llama-cli -m {config.out} talks to it")
