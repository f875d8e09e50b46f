"""Next-token loss of a decoder on batches of text: pretraining windows, conversations, or both in one step."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of, to_device
from gptwright.layers.masks import Documents
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import IGNORED, next_token_loss
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import TokenBatch
from gptwright.training.evaluation import Evaluation


def next_token_losses(
    network: Decoder, batch: TokenBatch, shard: BatchShard, separator: int | None = None
) -> Iterator[Tensor]:
    """The mean loss of a batch in parts, one for each micro-batch of `shard`.

    With the id of a `separator` between documents, each document of a window is read as if it stood alone.
    """
    batch = without_overhang(batch, network.config.context)
    count = int((batch.targets != IGNORED).sum())
    device = device_of(network)
    for rows in shard.slices(batch.rows):
        ids = to_device(batch.ids[rows], device)
        documents = None if separator is None else Documents.begun_by(separator, ids)
        if batch.documents is not None:
            documents = Documents(to_device(batch.documents[rows], device))
        hidden = network.hidden(ids, documents=documents)
        yield next_token_loss(hidden, network.output, batch.targets[rows], 0.0, count, network.vocabulary)


def without_overhang(batch: TokenBatch, context: int) -> TokenBatch:
    """Without the columns that a model of that context cannot read: they are padding, up to a round width."""
    assert bool((batch.targets[:, context:] == IGNORED).all())
    documents = None if batch.documents is None else batch.documents[:, :context]
    return TokenBatch(batch.ids[:, :context], batch.targets[:, :context], documents)


@runtime_checkable
class TokenSource(Protocol):
    """Where batches come from: `Windows` of running text, `Demonstrations` of conversations."""

    def batch(self, step: int) -> TokenBatch: ...


class MixedBatch(NamedTuple):
    """One batch of each source."""

    parts: list[TokenBatch]
    step: int

    @property
    def rows(self) -> int:
        return max(part.rows for part in self.parts)


class TextMixture:
    """Batches of several sources in one step; the loss is the sum of their mean losses, times `weight`."""

    def __init__(self, network: Decoder, sources: Sequence[TokenSource], weight: float = 1.0) -> None:
        self.network, self.sources, self.weight = network, sources, weight
        self.parts: Float[Tensor, "sources"] = torch.zeros(len(sources))
        """of the last loss, each source's own, as far as it is of this process's rows"""

    def batch(self, step: int) -> MixedBatch:
        return MixedBatch([source.batch(step) for source in self.sources], step)

    def loss(self, batch: MixedBatch, shard: BatchShard) -> Iterator[Tensor]:
        self.parts = torch.zeros(len(batch.parts), device=device_of(self.network))
        for number, part in enumerate(batch.parts):
            if mine := shard.of_part(part.rows):
                for loss in next_token_losses(self.network, part, mine):
                    self.parts[number] += loss.detach()
                    yield self.weight * loss

    def evaluate(self, step: int) -> Evaluation:
        """Nothing: whoever mixes the text in measures the model."""
        return Evaluation()
