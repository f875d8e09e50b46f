"""CLIP (Radford et al. 2021): an image encoder and a text encoder that agree on what belongs together."""

from math import log
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.settings import Size, settings
from gptwright.layers.feedforward import quick_gelu
from gptwright.models import vision
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.vision import ViT, ViTConfig

FIRST_SCALE, MOST_SCALE = 1 / 0.07, 100.0  # §2.5


@settings
class CLIPConfig:
    """Sizes of the two encoders and of the space that they share."""

    family: ClassVar = "clip"
    image: ViTConfig
    """the image encoder"""
    text: GPT2Config
    """the text encoder"""
    embedding: Size = 512
    """numbers that stand for an image or a text"""

    @property
    def vocab(self) -> int:
        """Tokens known."""
        return self.text.vocab

    @property
    def context(self) -> int:
        """Tokens of a text."""
        return self.text.context


BASE, LARGE = (GPT2Config(vocab=49_408, context=77, width=64 * heads, heads=heads) for heads in (8, 12))
SMALL = GPT2Config(vocab=2048, context=64, width=128, heads=4, layers=2)
# Table 20 of the paper, and two for small pictures.
PRESETS = {
    "clip-b-32": CLIPConfig(image=vision.PRESETS["vit-b-32"], text=BASE),
    "clip-b-16": CLIPConfig(image=vision.PRESETS["vit-b-16"], text=BASE),
    "clip-l-14": CLIPConfig(image=vision.PRESETS["vit-l-14"], text=LARGE, embedding=768),
    "clip-l-14-336": CLIPConfig(image=vision.PRESETS["vit-l-14-336"], text=LARGE, embedding=768),
    "clip-nano": CLIPConfig(image=vision.PRESETS["vit-nano"], text=SMALL, embedding=128),
    "clip-nano-4": CLIPConfig(image=vision.PRESETS["vit-nano-4"], text=SMALL, embedding=128),
}


class CLIP(nn.Module):
    """Its text encoder is a GPT-2 (§2.4) with the quick GELU; a text is the state of its last token."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.image = ViT(config.image)
        self.text = GPT2(config.text, quick_gelu)
        self.image_projection = nn.Linear(config.image.width, config.embedding, bias=False)
        self.text_projection = nn.Linear(config.text.width, config.embedding, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(log(FIRST_SCALE)))

    def embed_images(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B E"]:
        """Vectors of length 1, in float32."""
        return F.normalize(self.image_projection(self.image(images)).float(), dim=-1)

    def embed_texts(self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"]) -> Float[Tensor, "B E"]:
        """Vectors of length 1, in float32. `last` is the position of each row's end of text; what stands behind it
        changes nothing. Raises `IndexError` beyond the context."""
        states = self.text.hidden(ids)[torch.arange(len(ids), device=ids.device), last]
        return F.normalize(self.text_projection(states).float(), dim=-1)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """What cosines are multiplied by: 1 / temperature, learned. While training it is held at 100 at most (§2.5):
        the parameter itself, which so can come back."""
        if self.training:
            with torch.no_grad():
                self.log_scale.clamp_(max=log(MOST_SCALE))
        return self.log_scale.exp()

    def forward(
        self, images: Float[Tensor, "B 3 S S"], ids: Int[Tensor, "R T"], last: Int[Tensor, "R"]
    ) -> Float[Tensor, "B R"]:
        """How well each image (row) goes with each text (column)."""
        return self.scale * self.embed_images(images) @ self.embed_texts(ids, last).T

    def initialise(self, seed: int) -> None:
        """The encoders as they have it, the projections N(0, 1/width), the scale 1 / 0.07."""
        self.image.initialise(seed)
        self.text.initialise(seed + 1)
        random = torch.Generator().manual_seed(seed + 2)
        with torch.no_grad():
            for projection in (self.image_projection, self.text_projection):
                projection.weight.normal_(0.0, projection.in_features**-0.5, generator=random)
            self.log_scale.fill_(log(FIRST_SCALE))
