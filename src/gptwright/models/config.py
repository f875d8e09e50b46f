"""Sizes that a model of every family has; nothing here imports torch."""

from typing import TYPE_CHECKING, ClassVar, cast

from gptwright.foundations.settings import Layers, Size, settings

if TYPE_CHECKING:
    from torch import nn


@settings
class ModelConfig:
    """A family adds its own sizes and the defaults."""

    family: ClassVar[str]
    vocab: Size
    """tokens known"""
    context: Size
    """tokens seen at once"""
    width: Size
    """numbers that stand for one token"""
    heads: Size
    """attention heads; must divide the width"""
    layers: Layers
    """blocks"""


def config_of(model: "nn.Module") -> ModelConfig:
    """The sizes that a model of any family was built with."""
    return cast(ModelConfig, model.config)
