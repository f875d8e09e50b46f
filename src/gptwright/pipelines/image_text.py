"""CLIP with its tokenizer: images and texts as points of one space, near where they belong together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.images.decode import decode_image
from gptwright.images.preprocess import Preprocessing
from gptwright.models.clip import CLIP
from gptwright.models.formats.mappings import clip
from gptwright.pipelines.export import ExportOptions, export_clip
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer

BATCH_SIZE = 32


class ImageTextModel(LoadedModel):
    """Images come as the bytes of their files. Vectors have length 1: their products are cosines."""

    kind = "an encoder of images and texts"

    def __init__(self, network: CLIP, tokenizer: Tokenizer | None, name: str, preprocessing: Preprocessing) -> None:
        super().__init__(network, tokenizer, name)
        self.preprocessing = preprocessing

    @property
    def architecture(self) -> str:
        return clip.CLIP.language_model

    @torch.inference_mode()
    def embed_images(self, images: Sequence[bytes]) -> Float[Tensor, "N E"]:
        """One vector an image. Raises as `decode_image` does."""
        found = [torch.empty(0, self.network.config.embedding)]
        for start in range(0, len(images), BATCH_SIZE):
            pixels = self.pixels(images[start : start + BATCH_SIZE]).to(device_of(self.network))
            found.append(self.network.embed_images(pixels).cpu())
        return torch.cat(found)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "N E"]:
        """One vector a text. What lies beyond the context is not read."""
        found, device = [torch.empty(0, self.network.config.embedding)], device_of(self.network)
        for start in range(0, len(texts), BATCH_SIZE):
            rows = [self.text_ids(text) for text in texts[start : start + BATCH_SIZE]]
            last = torch.tensor([len(row) - 1 for row in rows])
            ids = padded(rows, self.tokenizer.pad_id)
            found.append(self.network.embed_texts(ids.to(device), last.to(device)).cpu())
        return torch.cat(found)

    @torch.inference_mode()
    def logits(self, images: Sequence[bytes], texts: Sequence[str]) -> Float[Tensor, "N R"]:
        """How well each image goes with each text; a softmax of a row says which text is the image's."""
        return self.network.scale.cpu() * self.embed_images(images) @ self.embed_texts(texts).T

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        """Writes a Hugging Face folder; `how` is that of `pipelines.export.export`."""
        export_clip(self.network, self.tokenizer, self.preprocessing, folder, **how)

    def pixels(self, images: Sequence[bytes]) -> Float[Tensor, "N 3 S S"]:
        """What the image encoder reads of files. Raises as `decode_image` does."""
        return self.preprocessing([decode_image(image) for image in images])

    def text_ids(self, text: str) -> list[int]:
        """What the text encoder reads of a text, up to its context. Its end stands nowhere else, for `transformers`
        takes the first: a token that begins texts and ends them too is only put behind."""
        begin, end = self.tokenizer.declared_bos_id, self.tokenizer.eos_id
        ids = [*([] if begin in (None, end) else [begin]), *self.tokenizer.encode(text)]
        return [*ids[: self.context - 1], end]
