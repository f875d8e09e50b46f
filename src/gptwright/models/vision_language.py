"""A decoder that sees, as LLaVA builds it (Liu et al. 2023): an image encoder, a projector, and a decoder that reads
the projected patches between the words of a text."""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.settings import Size, settings
from gptwright.layers.cache import CacheView
from gptwright.layers.embedding import Embeddings
from gptwright.layers.masks import Documents
from gptwright.models import llama, vision
from gptwright.models.catalogue import family_of
from gptwright.models.config import ModelConfig
from gptwright.models.vision import ViT, ViTConfig


@settings
class VisionLanguageConfig:
    """Sizes of the image encoder and the decoder, and how the one reaches the other."""

    family: ClassVar = "llava"
    image: ViTConfig
    """the image encoder"""
    text: ModelConfig
    """the decoder, of any family"""
    placeholder: Size
    """the id that stands, once for each patch, where an image is read"""
    projector: Literal["linear", "mlp"] = "mlp"
    """one matrix (LLaVA), or two with a GELU between (LLaVA 1.5)"""
    layer: int = -2
    """of the image encoder, counted from the last, -1: its states are read"""

    def __post_init__(self) -> None:
        if self.placeholder >= self.text.vocab:
            raise ConfigError(f"a placeholder below the {self.text.vocab:,} tokens known", f"{self.placeholder}",
                              "Give the decoder a token for images.")  # fmt: skip
        if family_of(self.text).kind != "decoder":
            raise ConfigError("a decoder behind the image encoder", family_of(self.text).kind, "Take another family.")
        if not -self.image.layers <= self.layer <= -1:
            raise ConfigError(f"a layer from -{self.image.layers} to -1", f"{self.layer}", "Count from the last, -1.")

    @property
    def vocab(self) -> int:
        """Tokens known."""
        return self.text.vocab

    @property
    def context(self) -> int:
        """Tokens and patches seen at once."""
        return self.text.context


# LLaVA 1.5 (Liu et al. 2023b, table 1), vocabularies as in the folders of transformers.
VICUNA: dict[str, Any] = {"vocab": 32_064, "context": 4096}
LARGE = vision.PRESETS["vit-l-14-336"]
PRESETS = {
    "llava-1.5-7b": VisionLanguageConfig(image=LARGE, text=llama.LlamaConfig(**VICUNA), placeholder=32_000),
    "llava-1.5-13b": VisionLanguageConfig(
        image=LARGE,
        text=llama.LlamaConfig(**VICUNA, width=5120, heads=40, kv_heads=40, layers=40, hidden=13_824),
        placeholder=32_000,
    ),
}


class Projector(nn.Module):
    """The encoder's states as the decoder reads them."""

    def __init__(self, config: VisionLanguageConfig) -> None:
        super().__init__()
        self.config = config
        width = config.text.width
        self.first = nn.Linear(config.image.width, width)
        self.second = nn.Linear(width, width) if config.projector == "mlp" else None

    def forward(self, states: Float[Tensor, "*B C"]) -> Float[Tensor, "*B D"]:
        x = self.first(states)
        return x if self.second is None else self.second(F.gelu(x))


class VisionLanguageModel(nn.Module):
    """Without an image it is its decoder, to the bit. What generates takes the decoder, and `image_tokens` as content
    of the prompt."""

    def __init__(self, config: VisionLanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = ViT(config.image)
        self.projector = Projector(config)
        self.decoder: Any = family_of(config.text).model(config.text)

    def image_tokens(self, images: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N P D"]:
        """What the decoder reads of each image: one vector a patch, row by row."""
        return self.projector(self.vision.features(images, self.config.layer))

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        images: Float[Tensor, "N 3 S S"] | None = None,
        cache: CacheView | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T D"]:
        """What the output matrix sees, as `Decoder.hidden` has it. The images stand, in their order, where the ids of
        the rows, one row after another, are placeholders.

        Raises `InputError` unless there is one placeholder for each patch of each image.
        """
        tokens = None if images is None else self.image_tokens(images).flatten(0, 1)
        return self.decoder.hidden(ids, cache, documents, placed(ids, tokens, self.config.placeholder))

    def logits(self, states: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        return self.decoder.logits(states)

    def forward(
        self, ids: Int[Tensor, "B T"], images: Float[Tensor, "N 3 S S"] | None = None
    ) -> Float[Tensor, "B T V"]:
        return self.logits(self.hidden(ids, images))

    def initialise(self, seed: int) -> None:
        """The three parts: encoder and decoder as they have it, the projector N(0, 1/inputs) and no biases."""
        self.vision.initialise(seed)
        self.decoder.initialise(seed + 1)
        random = torch.Generator().manual_seed(seed + 2)
        with torch.no_grad():
            for linear in (part for part in self.projector.modules() if isinstance(part, nn.Linear)):
                linear.weight.normal_(0.0, linear.in_features**-0.5, generator=random)
                linear.bias.zero_()


def placed(ids: Int[Tensor, "B T"], tokens: Float[Tensor, "N D"] | None, placeholder: int) -> Embeddings | None:
    """The image tokens in place of the placeholders, one row of ids after another; None where there are neither.

    Raises `InputError` unless there are as many of the one as of the other.
    """
    positions = (ids.flatten() == placeholder).nonzero().flatten()
    count = 0 if tokens is None else len(tokens)
    if len(positions) != count:
        raise InputError(f"{count:,} placeholders, one for each patch of each image", f"{len(positions):,}",
                         "Give an image for each place, and a place for each image.")  # fmt: skip
    return None if tokens is None else Embeddings(positions, tokens)


def with_room(ids: Iterable[int], placeholder: int, patches: int) -> list[int]:
    """The ids with each placeholder, which stands for one image, repeated for each of its `patches`."""
    room = [placeholder] * patches
    return [each for id in ids for each in (room if id == placeholder else (id,))]
