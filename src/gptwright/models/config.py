"""Sizes that a model of every family has; nothing here imports torch."""

from typing import ClassVar

from gptwright.foundations.settings import Layers, Size, settings


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
