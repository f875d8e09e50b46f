"""export: leave a model as a folder that other tools open."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.stages.limits import known, positive

FORMATS = ("hf",)
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a model as a plain folder for other tools: transformers, vLLM, llama.cpp's converter."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, or what import takes"""
    out: Path
    """folder to write; must be new or empty"""
    to: str = "hf"
    """hf: a Hugging Face folder"""
    dtype: str = "float32"
    """format of the weights: float32, bfloat16 or float16"""
    shard_gb: float = 5.0
    """most gigabytes in one file of weights"""

    def __post_init__(self) -> None:
        known(self.to, FORMATS, "format to export to")
        known(self.dtype, DTYPES, "format of weights")
        positive(self, "shard_gb")


def run(config: Export) -> None:
    """Prints the folder."""
    import torch

    from gptwright.generation.load import load
    from gptwright.models.catalogue import family_of

    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise ConfigError(f"a new or empty folder at {config.out}", "something there", "Choose another with --out.")
    model = load(config.model)
    model.save(config.out, dtype=getattr(torch, config.dtype), shard=int(config.shard_gb * 1e9))
    say(f"export: transformers opens it as {family_of(model.network.config).folder.language_model}")
    print(config.out)
