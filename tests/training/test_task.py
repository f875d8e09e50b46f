"""The seam: a model with another head and another loss trains through `Task`, in the same loop as all others."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gptwright.models.catalogue import build
from gptwright.models.decoder import Decoder
from gptwright.models.gpt2 import GPT2Config
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.batches import TokenBatch
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import TextMixture, next_token_losses
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import linear
from gptwright.training.task import Task
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

CLASSES, LENGTH = 3, 6


class LabelledBatch(NamedTuple):
    ids: Tensor
    labels: Tensor

    @property
    def rows(self) -> int:
        return len(self.ids)


class Classifier(nn.Module):
    """A decoder whose last state gives a score for each class; every text is `LENGTH` tokens."""

    def __init__(self, trunk: Decoder) -> None:
        super().__init__()
        self.trunk, self.score = trunk, nn.Linear(trunk.config.width, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        return self.score(self.trunk.hidden(ids)[:, -1])


class ClassifierTask:
    """Which of the tokens 0, 1 and 2 stands first."""

    def __init__(self, model: Classifier) -> None:
        self.model = model

    def batch(self, step: int) -> LabelledBatch:
        ids = torch.randint(CLASSES, (16, LENGTH), generator=torch.Generator().manual_seed(step))
        return LabelledBatch(ids, ids[:, 0])

    def loss(self, batch: LabelledBatch, shard: BatchShard) -> Iterator[Tensor]:
        for rows in shard.slices(batch.rows):
            yield F.cross_entropy(self.model(batch.ids[rows]), batch.labels[rows], reduction="sum") / batch.rows

    @torch.inference_mode()
    def evaluate(self, step: int) -> Evaluation:
        heldout = self.batch(10**6)
        right = self.model(heldout.ids).argmax(-1) == heldout.labels
        return Evaluation(metrics={"heldout_accuracy": float(right.float().mean())})


def decoder() -> Decoder:
    return build(GPT2Config(vocab=8, context=LENGTH, width=16, heads=2, layers=1), seed=1)


def test_a_classifier_trains_through_a_task() -> None:
    model = Classifier(decoder())
    task = ClassifierTask(model)
    assert isinstance(task, Task)
    optimizer = Optimizer(model, AdamW(weight_decay=0.0))
    steps = list(train_steps(task, optimizer, linear(1e-2, 60, 5), TrainState(micro_batches=2), steps=60))
    assert steps[-1].loss < 0.2 * steps[0].loss
    assert task.evaluate(60).metrics["heldout_accuracy"] > 0.9


def test_pieces_and_shares_of_the_classifier_add_up(split_as_whole: Callable[..., None]) -> None:
    model = Classifier(decoder())
    task = ClassifierTask(model)
    split_as_whole(model, lambda shard: task.loss(task.batch(1), shard))


class Numbers:
    """Text that repeats a token: `rows` windows of it."""

    def __init__(self, token: int, rows: int) -> None:
        self.token, self.rows = token, rows

    def batch(self, step: int) -> TokenBatch:
        ids = torch.full((self.rows, LENGTH), self.token)
        return TokenBatch(ids, ids)


def test_a_mixture_is_the_sum_of_its_sources_times_the_weight() -> None:
    network, sources = decoder(), [Numbers(3, rows=2), Numbers(5, rows=4)]
    mixture = TextMixture(network, sources, weight=0.5)
    batch = mixture.batch(0)
    assert batch.rows == 4
    alone = sum(loss.item() for source in sources for loss in next_token_losses(network, source.batch(0), WHOLE))
    parts = [loss.item() for loss in mixture.loss(batch, BatchShard(micro_batches=2))]
    assert len(parts) == 4
    torch.testing.assert_close(sum(parts), 0.5 * alone)
