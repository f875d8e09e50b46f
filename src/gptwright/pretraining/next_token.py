"""A decoder's lesson: say what comes next (GPT-1 §3.1, GPT-2 §2)."""

from collections.abc import Iterator
from typing import Any

from jaxtyping import Int
from torch import Tensor

from gptwright.evaluation.perplexity import require_window, text_loss
from gptwright.foundations.device import device_of, to_device
from gptwright.inference.packed_model import format_of
from gptwright.layers.masks import Documents
from gptwright.objectives.language import IGNORED, next_token_loss
from gptwright.pipelines.model import Model
from gptwright.pretraining.task import EvalReport, TaskInputs
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.batches import Windows

OPENINGS = ("It was a", "The old man")


class NextToken:
    """Windows of running text, each token asked for from those before it."""

    def __init__(self, material: TaskInputs) -> None:
        self.network, self.heldout, self.length = material.network, material.heldout, material.length
        self.opening = material.tokenizer.eos_id if material.by_document else None
        self.model = Model(material.network, material.tokenizer, "pretrain", dtype=format_of(material.network))
        self.windows = Windows(material.train, material.length, material.batch_schedule, material.seed)
        require_window(material.heldout, material.length)
        self.fewest_rows = material.batch_schedule.rows(0)

    def losses(self, step: int, shard: BatchShard = WHOLE) -> Iterator[Tensor]:
        yield from next_token_losses(self.network, *self.windows.batch(step), shard, self.opening)

    def tokens(self, steps: int) -> int:
        return self.windows.batch_schedule.before(steps) * self.length

    def epochs(self, steps: int) -> float:
        return self.windows.batch_schedule.before(steps) / self.windows.count

    def look(self, step: int) -> EvalReport:
        self.model.engine.refresh()
        openings = [self._within_context(opening) for opening in OPENINGS]
        texts = [o + self.model.generate(o, max_tokens=40, temperature=0.8, seed=step) for o in openings]
        return EvalReport(self._figures(windows=48), texts)

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
    network: Any, ids: Int[Tensor, "B T"], targets: Int[Tensor, "B T"], shard: BatchShard, opening: int | None = None
) -> Iterator[Tensor]:
    """A decoder's mean loss on a batch in parts, one a piece of `shard`.

    With the token `opening` them, the documents of a window are read each by itself.
    """
    count = int((targets != IGNORED).sum())
    device = device_of(network)
    for rows in shard.slices(len(ids)):
        read = to_device(ids[rows], device)
        documents = None if opening is None else Documents.begun_by(opening, read)
        hidden = network.hidden(read, documents=documents)
        yield next_token_loss(hidden, network.output, targets[rows], 0.0, count, network.vocabulary)
