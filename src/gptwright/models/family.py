"""What every family offers: its configuration, its model and its presets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

Kind = Literal["decoder", "encoder", "encoder-decoder"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture: a file in `models/` and a line in the catalogue."""

    name: str
    kind: Kind = "decoder"
    config: type
    model: type[nn.Module]
    presets: Mapping[str, Any]
