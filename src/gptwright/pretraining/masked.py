"""An encoder's task: find masked words, and say whether the second text follows the first (BERT §3.1)."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gptwright.foundations.device import device_of, to_device
from gptwright.objectives.language import IGNORED
from gptwright.objectives.masked import MaskedIds, chosen_states, mask_tokens, masked_loss, next_sentence_loss
from gptwright.pipelines.encoder import MASK, Encoder
from gptwright.pretraining.nsp_pairs import Pairs, SentencePairs, SpecialIds
from gptwright.pretraining.task import TaskInputs
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import key
from gptwright.training.evaluation import Evaluation

LONG_EVERY = 10
SAMPLES = 2
WORDS = 16  # of a sample


class MaskedBatch(NamedTuple):
    """Pairs of texts, and their ids with the masks in."""

    pairs: Pairs
    masked: MaskedIds

    @property
    def rows(self) -> int:
        return len(self.masked.ids)


class MaskedWords:
    """Pairs of `length` tokens, and in every tenth step fewer and longer ones, as long as the context.

    The paper trains 90 % of its steps on short sequences and the last 10 % on long ones. Spread over the run the share
    is the same, positions far out are never untrained, and a step does not depend on how many there will be.
    """

    def __init__(self, inputs: TaskInputs) -> None:
        self.network, self.seed, self.batch_schedule = inputs.network, inputs.seed, inputs.batch_schedule
        self.length, self.context = inputs.length, inputs.network.config.context
        self.encoder = Encoder(inputs.network, inputs.tokenizer, "pretrain")
        self.fewest_rows = self._rows_of_long(self.batch_schedule.rows(0))
        special = SpecialIds.of(inputs.tokenizer)
        self.train, self.heldout = SentencePairs(inputs.train, special), SentencePairs(inputs.heldout, special)

    def loss(self, batch: MaskedBatch, shard: BatchShard) -> Iterator[Tensor]:
        (pairs, masked), network, device = batch, self.network, device_of(self.network)
        chosen = int((masked.targets != IGNORED).sum())
        for rows in shard.slices(batch.rows):
            read = (masked.ids, pairs.segments, pairs.lengths)
            states = network.encode(*(to_device(part[rows], device) for part in read))
            words, targets = chosen_states(states, masked.targets[rows])
            states_of_words = network.masked_states(words)
            found = masked_loss(states_of_words, network.output, network.output_bias, targets, chosen,
                                network.vocabulary)  # fmt: skip
            follows = to_device(pairs.follows[rows], device)
            yield found + next_sentence_loss(network.next_logits(states), follows, batch.rows)

    def batch(self, step: int) -> MaskedBatch:
        rows, length = self.batch_schedule.rows(step), self.length
        if step % LONG_EVERY == LONG_EVERY - 1:
            rows, length = self._rows_of_long(rows), self.context
        return self._some(self.train, key(self.seed, step), rows, length)

    def _rows_of_long(self, rows: int) -> int:
        return max(1, rows * self.length // self.context)

    def tokens(self, steps: int) -> int:
        return self.batch_schedule.before(steps) * self.length

    def epochs(self, steps: int) -> float:
        return self.tokens(steps) / len(self.train.tokens)

    def evaluate(self, step: int) -> Evaluation:
        return Evaluation(metrics=self._metrics(batches=6), samples=[self._sample(i) for i in range(SAMPLES)])

    def measure(self) -> dict[str, float]:
        return self._metrics(batches=40)

    def _some(self, pairs: SentencePairs, seed: int, rows: int, length: int) -> MaskedBatch:
        found = pairs.batch(seed, rows=rows, length=length)
        vocab, hide = self.network.config.vocab, key(seed, "hide")
        return MaskedBatch(
            found, mask_tokens(found.ids, found.ordinary, mask=self.encoder.mask, vocab=vocab, seed=hide)
        )

    @torch.inference_mode()
    def _metrics(self, batches: int) -> dict[str, float]:
        """Over the same pairs of the held-out text at every evaluation."""
        nats = right = count = together = 0.0
        for number in range(batches):
            pairs, masked = self._some(self.heldout, key("heldout", number), 16, self.length)
            device = device_of(self.network)
            states = self.network.encode(*(part.to(device) for part in (masked.ids, pairs.segments, pairs.lengths)))
            chosen = masked.targets != IGNORED
            targets = masked.targets[chosen].to(device)
            logits = self.network.masked_logits(states[chosen.to(device)])
            nats += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            right += int((logits.argmax(-1) == targets).sum())
            together += int(((self.network.next_logits(states).argmax(-1) == 0) == pairs.follows.to(device)).sum())
            count += len(targets)
        return {
            "heldout_masked_nats": nats / count,
            "heldout_masked_accuracy": right / count,
            "heldout_next_sentence_accuracy": together / (16 * batches),
        }

    def _sample(self, number: int) -> str:
        """Words from the held-out text, every sixth of them masked, and what the model puts there."""
        ids = self.heldout.batch(key("sample", number), rows=1, length=self.length).ids[0].tolist()
        words = self.encoder.tokenizer.decode(ids).split()[:WORDS] or [""]
        room = self.context - 2  # [CLS] and [SEP]
        while len(words) > 1 and len(self.encoder.tokenizer.encode(" ".join(words))) > room:
            words.pop()
        places = range(min(3, len(words) - 1), len(words), 6)
        text = " ".join(MASK if i in places else word for i, word in enumerate(words))
        return f"{text} → {self.encoder.fill(text)}"
