"""CLIP's task: of all captions of a batch, which is this image's, and of all images, which is this caption's."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.evaluation.intervals import share
from gptwright.foundations.device import device_of, to_device
from gptwright.foundations.errors import InputError
from gptwright.images.jitter import jittered
from gptwright.images.named import named_image
from gptwright.objectives.contrastive import contrastive_loss
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.text.jsonl import read_objects
from gptwright.text.split import Split
from gptwright.tokenizers.padding import padded
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import WIDTHS, epoch_order, key
from gptwright.training.evaluation import Evaluation

MOST = 200  # held-out captions among which one is sought
RECALLS = (1, 5)


class Captioned(NamedTuple):
    """An image file and what it shows."""

    image: bytes
    text: str
    split: Split | None

    @property
    def key(self) -> str:
        """By which the image is known."""
        return hashlib.sha256(self.image).hexdigest()


def read_captions(path: Path) -> list[Captioned]:
    """Every line of a file. Raises `InputError` naming the line without a text, and for images that are not there."""
    found: list[Captioned] = []
    for line in read_objects(path):
        image, text = line.get("image"), line.get("text")
        if not isinstance(image, str) or not isinstance(text, str) or not text.strip():
            raise InputError(f'an "image" and a "text" in {line.where}', repr(dict(line))[:60],
                             'Write {"image": "dog.png", "text": "a dog"}.')  # fmt: skip
        found.append(Captioned(named_image(image, path.parent), text, line.split))
    return found


class CaptionBatch(NamedTuple):
    """A step's images and captions, each caption with the place of its last id."""

    images: Float[Tensor, "B 3 S S"]
    ids: Int[Tensor, "B T"]
    last: Int[Tensor, "B"]

    @property
    def rows(self) -> int:
        """One: each is sought among all others, so that a part of the batch would be another task."""
        return 1


class ClipTask:
    """Another order each epoch, and each image a little otherwise each time."""

    def __init__(
        self, model: ImageTextModel, train: Sequence[Captioned], heldout: Sequence[Captioned], rows: int, seed: int
    ) -> None:
        self.model, self.train, self.heldout, self.rows, self.seed = model, train, heldout[:MOST], rows, seed

    def batch(self, step: int) -> CaptionBatch:
        chosen = [self.train[i] for i in epoch_order(len(self.train), self.rows, step, self.seed)]
        ids = [self.model.text_ids(each.text) for each in chosen]
        images = jittered(self.model.pixels([each.image for each in chosen]), key("jitter", self.seed, step) >> 1)
        last = torch.tensor([len(row) - 1 for row in ids])
        return CaptionBatch(images, padded(ids, self.model.tokenizer.pad_id, WIDTHS)[:, : self.model.context], last)

    def loss(self, batch: CaptionBatch, shard: BatchShard) -> Iterator[Tensor]:
        network = self.model.network.train()
        yield contrastive_loss(network(*(to_device(part, device_of(network)) for part in batch)))
        network.eval()

    def evaluate(self, step: int) -> Evaluation:
        """How often an image's own caption is among the nearest of the held-out ones."""
        if not self.heldout:
            return Evaluation()
        texts = [each.text for each in self.heldout]
        return recall(self.model.logits([each.image for each in self.heldout], texts), texts)


def recall(logits: Float[Tensor, "N N"], texts: Sequence[str]) -> Evaluation:
    """Row i of `logits` says how well image i goes with each text. An equal text is as good as its own."""
    found = {k: 0 for k in RECALLS}
    for row, text in zip(logits, texts, strict=True):
        nearest = [texts[i] for i in row.argsort(descending=True).tolist()]
        for k in RECALLS:
            found[k] += text in nearest[:k]
    return Evaluation(estimates={f"recall@{k} of {len(texts)}": share(n, len(texts)) for k, n in found.items()})
