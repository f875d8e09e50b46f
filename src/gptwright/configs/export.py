"""Options of export."""

from pathlib import Path
from typing import Annotated

import tyro

from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Range, settings

FORMATS = ("hf", "gguf", "html", "openrlhf")
DTYPES = ("float32", "bfloat16", "float16")


@settings
class Export:
    """Write a model for others: a folder for transformers and vLLM, a file for llama.cpp, a page that answers."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, of a run (its last model), or what import takes"""
    out: Path
    """folder to write, new or empty; of a GGUF or a page, a new file"""
    to: str = "hf"
    """hf: Hugging Face's folder; gguf: one file; html: one page that answers; openrlhf: a folder for OpenRLHF, verl"""
    reward: Path | None = None
    """for openrlhf: folder of reward, the model that judges"""
    prompts: tuple[Path, ...] = ()
    """for openrlhf: JSON Lines of prompts"""
    rankings: tuple[Path, ...] = ()
    """for openrlhf: JSON Lines of ranked answers, written as pairs"""
    conversations: tuple[Path, ...] = ()
    """for openrlhf: JSON Lines of conversations"""
    adapter: Path | None = None
    """folder of a stage with --lora, or one that peft wrote: merged into the model"""
    dtype: str = "float32"
    """format of the weights: float32, bfloat16 or float16; a page has int8"""
    shard_gb: Annotated[float, Range(0, 10**6, above=True)] = 5.0
    """most gigabytes in one file of a folder's weights"""

    def __post_init__(self) -> None:
        known(self.to, FORMATS, "format to export to")
        known(self.dtype, DTYPES, "format of weights")
        given = [name for name in ("reward", "prompts", "rankings", "conversations") if getattr(self, name)]
        if given and self.to != "openrlhf":
            raise ConfigError(
                f"--to openrlhf beside {given[0]}", f"--to {self.to}", f"Add it, or leave {given[0]} out."
            )
