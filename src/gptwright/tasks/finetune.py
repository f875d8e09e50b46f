"""Fine-tuning on a task's examples (Radford et al. 2018, §3.2): its loss, and λ times next-token loss on its texts."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gptwright.evaluation.metrics import best_threshold
from gptwright.foundations.device import device_of, to_device
from gptwright.foundations.intake import Intake
from gptwright.models.heads import EncoderClassifier, SequenceModel
from gptwright.objectives.language import IGNORED, next_token_loss
from gptwright.pipelines.moderation_config import ModerationConfig
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tasks.agreement import agreement
from gptwright.tasks.labelled_examples import Example, Kind, LabelledData
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.task_shapes import TaskShape, segments
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import WIDTHS, epoch_order, key
from gptwright.training.evaluation import Evaluation


class ExampleIds(NamedTuple):
    """An example as rows of ids, and its target: the number of its class or choice, the number to learn, or 1 for each
    label that is true and 0 for others."""

    rows: list[list[int]]
    target: Float[Tensor, "..."]


class FinetuneBatch(NamedTuple):
    """A step's examples, and what dropout leaves of each one's state: 0, or 1 / (1 - its share)."""

    examples: list[ExampleIds]
    kept: Float[Tensor, "B C"]

    @property
    def rows(self) -> int:
        """Examples."""
        return len(self.examples)


def encoded(
    examples: Sequence[Example],
    data: LabelledData,
    shape: TaskShape,
    tokenizer: Tokenizer,
    context: int,
    intake: Intake,
) -> list[ExampleIds]:
    """The examples as the shape has them; `intake` is told of those that are cut to fit the context."""
    marks, found = shape.marks(tokenizer), list[ExampleIds]()
    for example in examples:
        texts = tokenizer.encode_many(example.texts)
        fitted = shape.fitted(texts, context)
        if fitted != texts:
            intake.cut(f"to the {context:,} tokens of the context", example.where)
        target = (data.target(example) - shape.middle) / shape.spread
        found.append(ExampleIds(shape.rows(fitted, marks), target))
    return found


class FinetuneTask:
    """Learns the training examples in another order each epoch, and is measured on the held-out ones.

    `lm_weight` is λ, `dropout` the share of the head's input that is silenced, the same for all rows of an example.
    """

    def __init__(
        self,
        scorer: SequenceScorer,
        kind: Kind,
        train: Sequence[ExampleIds],
        heldout: Sequence[ExampleIds],
        *,
        rows: int,
        seed: int,
        lm_weight: float,
        dropout: float,
    ) -> None:
        self.scorer, self.train, self.heldout = scorer, train, heldout
        self.kind: Kind = kind
        self.model: SequenceModel = scorer.network
        self.size, self.seed, self.lm_weight, self.dropout = rows, seed, lm_weight, dropout
        if isinstance(self.model, EncoderClassifier):
            self.lm_weight = 0.0

    @property
    def typical_length(self) -> int:
        """Tokens of all rows of an example, on the average."""
        return sum(len(row) for example in self.train for row in example.rows) // len(self.train)

    def batch(self, step: int) -> FinetuneBatch:
        chosen = epoch_order(len(self.train), self.size, step, self.seed)
        dice = torch.Generator().manual_seed(key("dropout", self.seed, step) % 2**63)
        kept = torch.rand(len(chosen), self.model.config.width, generator=dice) >= self.dropout
        return FinetuneBatch([self.train[i] for i in chosen], kept / (1 - self.dropout))

    def loss(self, batch: FinetuneBatch, shard: BatchShard) -> Iterator[Tensor]:
        for part in shard.slices(batch.rows):
            yield self._loss(batch.examples[part], batch.kept[part], batch.rows)

    def answers(self) -> list[Float[Tensor, "_"]]:
        """What the head says of the held-out examples."""
        return self.scorer.examples([example.rows for example in self.heldout])

    def evaluate(self, step: int) -> Evaluation:
        """Loss, and how well the answers agree with the truth, on the held-out examples."""
        return self.measured(self.answers())

    def measured(self, answers: Sequence[Float[Tensor, "_"]]) -> Evaluation:
        """The same of answers that are there."""
        targets = [example.target for example in self.heldout]
        name = "heldout_squared_error" if self.kind == "number" else "heldout_nats"
        loss = float(self._task_loss(answers, targets)) / len(answers)
        return Evaluation(metrics={name: loss}, estimates=agreement(self.kind, targets, answers))

    def thresholds(self, answers: Sequence[Float[Tensor, "_"]], neutral: Sequence[str]) -> ModerationConfig:
        """Of each label that is not `neutral` and true of a held-out example, the threshold of highest F1 there."""
        targets = torch.stack([example.target for example in self.heldout])
        true = targets if self.kind == "labels" else F.one_hot(targets.long(), len(self.model.labels))
        sure = self.model.probabilities(torch.stack(list(answers)))
        best = {
            label: best_threshold(truth, chances)
            for label, truth, chances in zip(self.model.labels, true.T.tolist(), sure.T.tolist(), strict=True)
        }
        known = {label: found for label, found in best.items() if found.f1 and label not in neutral}
        return ModerationConfig(
            thresholds={label: found.threshold for label, found in known.items()},
            neutral=tuple(neutral),
            f1={label: found.f1 for label, found in known.items()},
            measured_on=f"{len(self.heldout):,} held-out examples",
        )

    def _loss(self, examples: Sequence[ExampleIds], kept: Tensor, count: int) -> Tensor:
        """What a part of a batch of `count` examples adds to its mean: L2 + λ·L1 (Radford et al. 2018, eq. 5)."""
        model, rows = self.model, [row for example in examples for row in example.rows]
        ids = padded(rows, 0, WIDTHS)[:, : model.config.context]
        ids, last, kept = (
            to_device(part, device_of(model)) for part in (ids, torch.tensor([len(row) - 1 for row in rows]), kept)
        )
        hidden = model.hidden(ids, last, self._segments(ids))
        states = model.summary(hidden, last).split([len(example.rows) for example in examples])
        found = [self._head(state * mask) for state, mask in zip(states, kept, strict=True)]
        loss = self._task_loss(found, [example.target for example in examples]) / count
        return loss + self._text_loss(hidden, examples, count) if self.lm_weight else loss

    def _head(self, states: Float[Tensor, "R C"]) -> Float[Tensor, "L"]:
        """Of one example's rows: a number for each choice, or of their sum one for each label."""
        return self.model.head(states)[:, 0] if self.kind == "choice" else self.model.head(states.sum(0))

    def _text_loss(self, hidden: Float[Tensor, "R T C"], examples: Sequence[ExampleIds], count: int) -> Tensor:
        """λ times next-token loss: the mean over each row's tokens, over an example's rows, and over examples."""
        rows = [row[1:] + [IGNORED] * (hidden.shape[1] - len(row) + 1) for e in examples for row in e.rows]
        weights = [self.lm_weight / (len(row) - 1) / len(e.rows) for e in examples for row in e.rows]
        targets = torch.tensor(rows)
        of_targets = torch.tensor(weights)[:, None].expand_as(targets)
        return next_token_loss(hidden, self.model.trunk.output, targets, count=count, weights=of_targets)

    def _task_loss(self, found: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Nats of the true classes or choices, or of each label's truth, or squared errors of numbers, summed."""
        true = torch.stack(list(targets)).to(found[0].device)
        if self.kind == "number":
            return (torch.cat(list(found)) - true).square().sum()
        if self.kind == "labels":
            return F.binary_cross_entropy_with_logits(torch.stack(list(found)), true, reduction="sum")
        logits = pad_sequence(list(found), batch_first=True, padding_value=float("-inf"))
        return F.cross_entropy(logits, true.long(), reduction="sum")

    def _segments(self, ids: Tensor) -> Tensor | None:
        if not isinstance(self.model, EncoderClassifier) or self.model.shape is None:
            return None
        return segments(ids, self.scorer.tokenizer.special_id(self.model.shape.delim))
