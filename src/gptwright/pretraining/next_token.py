"""A decoder's lesson: say what comes next (GPT-1 §3.1, GPT-2 §2)."""

from collections.abc import Iterator
from typing import Any

from jaxtyping import Int
from torch import Tensor

from gptwright.evaluation.perplexity import require_window, text_loss
from gptwright.foundations.device import device_of, sent
from gptwright.inference.packed_model import format_of
from gptwright.layers.masks import Documents
from gptwright.objectives.language import IGNORED, next_token_loss
from gptwright.pipelines.model import Model
from gptwright.pretraining.task import Look, Material
from gptwright.training.batch_shard import WHOLE, Share
from gptwright.training.batches import Windows

OPENINGS = ("It was a", "The old man")


class NextToken:
    """Windows of running text, each token asked for from those before it."""

    def __init__(self, material: Material) -> None:
        self.network, self.heldout, self.length = material.network, material.heldout, material.length
        self.opening = material.tokenizer.end if material.by_document else None
        self.model = Model(material.network, material.tokenizer, "pretrain", dtype=format_of(material.network))
        self.windows = Windows(material.train, material.length, material.ramp, material.seed)
        require_window(material.heldout, material.length)
        self.fewest_rows = material.ramp.rows(0)

    def losses(self, step: int, share: Share = WHOLE) -> Iterator[Tensor]:
        yield from next_token_losses(self.network, *self.windows.batch(step), share, self.opening)

    def tokens(self, steps: int) -> int:
        return self.windows.ramp.before(steps) * self.length

    def epochs(self, steps: int) -> float:
        return self.windows.ramp.before(steps) / self.windows.count

    def look(self, step: int) -> Look:
        self.model.engine.refresh()
        openings = [self._within_context(opening) for opening in OPENINGS]
        texts = [o + self.model.generate(o, max_tokens=40, temperature=0.8, seed=step) for o in openings]
        return Look(self._figures(windows=48), texts)

    def _within_context(self, opening: str) -> str:
        """As much of it as leaves room for one more token in a small context."""
        while opening and len(self.model.text_ids(opening)) >= self.model.context:
            opening = opening[:-1]
        return opening

    def measure(self) -> dict[str, float]:
        return self._figures(windows=200)

    def _figures(self, windows: int) -> dict[str, float]:
        loss = text_loss(self.network, self.heldout, length=self.length, windows=windows, opening=self.opening)
        return {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte}


def next_token_losses(
    network: Any, ids: Int[Tensor, "B T"], targets: Int[Tensor, "B T"], share: Share, opening: int | None = None
) -> Iterator[Tensor]:
    """A decoder's mean loss on a batch in parts, one a piece of `share`.

    With the token `opening` them, the documents of a window are read each by itself.
    """
    count = int((targets != IGNORED).sum())
    device = device_of(network)
    for rows in share.slices(len(ids)):
        read = sent(ids[rows], device)
        documents = None if opening is None else Documents.begun_by(opening, read)
        hidden = network.hidden(read, documents=documents)
        yield next_token_loss(hidden, network.output, targets[rows], 0.0, count, network.vocabulary)
