"""What every family offers: its configuration, its model and its presets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gptwright.models.config import ModelConfig
from gptwright.models.language_model import LanguageModel

Kind = Literal["decoder", "encoder", "encoder-decoder"]


@dataclass(frozen=True)
class Family:
    """One architecture: a file in `models/` and a line in the catalogue."""

    config: type[ModelConfig]
    model: type[LanguageModel]
    presets: Mapping[str, ModelConfig]
    kind: Kind = "decoder"

    @property
    def name(self) -> str:
        return self.config.family
