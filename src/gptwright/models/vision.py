"""The Vision Transformer (Dosovitskiy et al. 2020) as CLIP has it (Radford et al. 2021, §2.4): one vector for each
patch of an image, and one, the class token's, for all of it."""

from itertools import repeat
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Layers, Size, settings
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import PreNorm, run_blocks
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward, quick_gelu
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import FULL
from gptwright.layers.norms import LayerNorm
from gptwright.layers.patches import PatchEmbedding
from gptwright.layers.trace import Trace


@settings
class ViTConfig:
    """Sizes of an image encoder. The feed-forward width is 4 × `width`."""

    image_size: Size = 224
    """pixels of an image's side; images are square"""
    patch: Size = 32
    """pixels of a patch's side; must divide the image's"""
    width: Size = 768
    """numbers that stand for one patch"""
    heads: Size = 12
    """attention heads; must divide the width"""
    layers: Layers = 12
    """blocks"""

    def __post_init__(self) -> None:
        for part, whole in (("patch", "image_size"), ("heads", "width")):
            if getattr(self, whole) % getattr(self, part):
                raise ConfigError(f"a {part} that divides {whole} {getattr(self, whole)}", f"{getattr(self, part)}",
                                  "Change one of the two.")  # fmt: skip

    @property
    def patches(self) -> int:
        """Of one image."""
        return (self.image_size // self.patch) ** 2


# CLIP's paper, table 20.
PRESETS = {
    "vit-b-32": ViTConfig(),
    "vit-b-16": ViTConfig(patch=16),
    "vit-l-14": ViTConfig(patch=14, width=1024, heads=16, layers=24),
    "vit-l-14-336": ViTConfig(image_size=336, patch=14, width=1024, heads=16, layers=24),
    "vit-nano": ViTConfig(image_size=32, patch=8, width=192, heads=6, layers=4),
    "vit-nano-4": ViTConfig(image_size=32, patch=4, width=128, heads=4, layers=4),
}


class ViT(nn.Module):
    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patches = PatchEmbedding(width, config.patch)
        self.class_token = Embedding(1, width)
        self.positions = Embedding(1 + config.patches, width)
        self.first_norm = LayerNorm(width)
        self.blocks = nn.ModuleList(
            PreNorm(
                LayerNorm(width),
                Attention(width, config.heads),
                LayerNorm(width),
                FeedForward(width, 4 * width, quick_gelu),
            )
            for _ in range(config.layers)
        )
        self.norm = LayerNorm(width)

    def states(
        self, images: Float[Tensor, "B 3 S S"], layers: int, trace: Trace | None = None
    ) -> Float[Tensor, "B T C"]:
        """After the first so many `layers`: the class token's, then the patches' row by row."""
        size = self.config.image_size
        assert images.shape[1:] == (3, size, size), "images come as pictures of the model's own size"
        x = self.patches(images)
        class_token = self.class_token.weight.to(x.dtype).expand(len(x), 1, -1)
        x = self.first_norm(torch.cat([class_token, x], dim=1) + self.positions.weight.to(x.dtype))
        blocks: Any = self.blocks[:layers]
        return run_blocks(blocks, x, repeat(FULL), cache=trace)

    @torch.no_grad()
    def trace(self, images: Float[Tensor, "B 3 S S"], layer: int = -2) -> Trace:
        """The states and the attention weights of every head on the way to `features` of this layer; the class token
        stands first."""
        trace = Trace(images.device)
        self.states(images, self.config.layers + 1 + layer, trace)
        return trace

    def features(self, images: Float[Tensor, "B 3 S S"], layer: int = -2) -> Float[Tensor, "B N C"]:
        """States of the patches, without the class token, of the layer counted from the last, -1: what a decoder reads
        (Liu et al. 2023, §4.1 takes the last but one). What comes behind it is not computed."""
        return self.states(images, self.config.layers + 1 + layer)[:, 1:]

    def forward(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B C"]:
        """One vector an image: the class token's last state, normed."""
        return self.norm(self.states(images, self.config.layers)[:, 0])

    def initialise(self, seed: int) -> None:
        """N(0, 1/width), residual outputs scaled by 1/√(number of residual layers); biases 0, gains 1."""
        spread = self.config.width**-0.5
        normal_weights(self, seed, spread, residual=spread / sqrt(2 * self.config.layers))
