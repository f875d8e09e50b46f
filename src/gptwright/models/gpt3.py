"""GPT-3 (Brown et al. 2020): GPT-2's blocks, "alternating dense and locally banded sparse attention" (§2.1)."""

from typing import ClassVar

from gptwright.foundations.errors import ConfigError, nearest
from gptwright.foundations.settings import Size, settings
from gptwright.layers.masks import CAUSAL, Banded, Strided
from gptwright.models.family import Family
from gptwright.models.gpt2 import GPT2, GPT2Config

SPARSE = {"banded": Banded, "strided": Strided}


@settings
class GPT3Config(GPT2Config):
    """Sizes of a GPT-3. Even layers see everything before them, odd ones a sparse part of it."""

    family: ClassVar = "gpt3"
    context: Size = 2048
    sparse: str = "banded"
    """what odd layers see: banded (the last `reach` tokens) or strided (those, and every `reach`-th before)"""
    reach: Size = 256
    """tokens; the paper does not print its own"""

    def __post_init__(self) -> None:
        if self.sparse not in SPARSE:
            raise ConfigError("a sparse pattern", f"'{self.sparse}'", nearest(self.sparse, SPARSE))


# Table 2.1. Two of its rows contradict themselves: XL prints 24 heads of 128 in a width of 2048 (16 fit), 13B prints a
# width of 5140 for 40 heads of 128 (5120 fits). The corrected rows have the printed numbers of parameters.
PRESETS = {
    "gpt3-125m": GPT3Config(),
    "gpt3-350m": GPT3Config(width=1024, heads=16, layers=24),
    "gpt3-760m": GPT3Config(width=1536, heads=16, layers=24),
    "gpt3-1.3b": GPT3Config(width=2048, heads=16, layers=24),
    "gpt3-2.7b": GPT3Config(width=2560, heads=32, layers=32),
    "gpt3-6.7b": GPT3Config(width=4096, heads=32, layers=32),
    "gpt3-13b": GPT3Config(width=5120, heads=40, layers=40),
    "gpt3-175b": GPT3Config(width=12288, heads=96, layers=96),
    "gpt3-nano": GPT3Config(vocab=2048, context=512, width=192, heads=6, layers=4, reach=64),
}


class GPT3(GPT2):
    def __init__(self, config: GPT3Config) -> None:
        super().__init__(config)
        self.masks = (CAUSAL, SPARSE[config.sparse](config.reach))


FAMILY = Family(GPT3Config, GPT3, PRESETS)
