"""What a decoder sees of the images in a text: vectors in the places of their patches, and where the encoder's heads
look on the way to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.layers.embedding import Embeddings
from gptwright.models.vision_language import VisionLanguageModel, placed


@dataclass(frozen=True)
class Sight:
    """The images of one text, in their order, as `model` reads them."""

    model: VisionLanguageModel
    pixels: Float[Tensor, "N 3 S S"]
    pictures: Sequence[str]
    """the same as data: URIs, for people"""

    @torch.no_grad()
    def embeddings(self, ids: Int[Tensor, "1 T"]) -> Embeddings:
        """What the decoder reads in the places of the patches. Raises `InputError` unless there is one for each."""
        found = placed(ids, self.model.image_tokens(self.pixels).flatten(0, 1), self.placeholder)
        assert found is not None
        return found

    @property
    def placeholder(self) -> int:
        """The id that stands, once for each patch, where an image is read."""
        return self.model.config.placeholder

    def shown(self, ids: Int[Tensor, "1 T"]) -> dict[str, Any]:
        """What the page is given: patches a side, and each picture with the place of its first patch."""
        image, places = self.model.config.image, self.first_places(ids)
        pictures = [{"first": first, "uri": uri} for first, uri in zip(places, self.pictures, strict=True)]
        return {"side": image.image_size // image.patch, "pictures": pictures}

    def first_places(self, ids: Int[Tensor, "1 T"]) -> list[int]:
        """Of each image, where its first patch stands."""
        places = (ids[0] == self.placeholder).nonzero().flatten()
        return places[:: self.model.config.image.patches].tolist()

    def attention(self, ids: Int[Tensor, "1 T"]) -> list[Float[Tensor, "H T T"]]:
        """Of every layer of the encoder that is read, between the patches where they stand among the ids; elsewhere 0.
        What they take from the class token, which stands nowhere there, is left out."""
        config, tokens = self.model.config, ids.shape[1]
        patches, found = config.image.patches, list[Tensor]()
        for layer in self.model.vision.trace(self.pixels, config.layer).attention:
            whole = torch.zeros(layer.shape[1], tokens, tokens)
            for first, weights in zip(self.first_places(ids), layer[:, :, 1:, 1:], strict=True):
                whole[:, first : first + patches, first : first + patches] = weights
            found.append(whole)
        return found
