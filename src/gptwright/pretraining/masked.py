"""An encoder's lesson: find masked words, and say whether the second text follows the first (BERT §3.1)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gptwright.foundations.device import device_of, to_device
from gptwright.objectives.language import IGNORED
from gptwright.objectives.masked import MaskedIds, chosen_states, mask_tokens, masked_loss, next_sentence_loss
from gptwright.pipelines.encoder import MASK, Encoder
from gptwright.pretraining.nsp_pairs import Pairs, SentencePairs, SpecialIds
from gptwright.pretraining.task import EvalReport, TaskInputs
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.batches import key

LONG_EVERY = 10
SAMPLES = 2
WORDS = 16  # of a sample


class MaskedWords:
    """Pairs of `length` tokens, and in every tenth step fewer and longer ones, as long as the context.

    The paper trains 90 % of its steps on short sequences and the last 10 % on long ones. Spread over the run the share
    is the same, positions far out are never untrained, and a step does not depend on how many there will be.
    """

    def __init__(self, material: TaskInputs) -> None:
        self.network, self.seed = material.network, material.seed
        self.batch_schedule, self.length, self.context = (
            material.batch_schedule,
            material.length,
            material.network.config.context,
        )
        self.encoder = Encoder(material.network, material.tokenizer, "pretrain")
        self.fewest_rows = self._rows_of_long(self.batch_schedule.rows(0))
        frame = SpecialIds.of(material.tokenizer)
        self.train, self.heldout = SentencePairs(material.train, frame), SentencePairs(material.heldout, frame)

    def losses(self, step: int, shard: BatchShard = WHOLE) -> Iterator[Tensor]:
        pairs, masked = self.batch(step)
        network, device = self.network, device_of(self.network)
        chosen, count = int((masked.targets != IGNORED).sum()), len(masked.ids)
        for rows in shard.slices(count):
            read = (masked.ids, pairs.segments, pairs.lengths)
            states = network.encode(*(to_device(part[rows], device) for part in read))
            words, targets = chosen_states(states, masked.targets[rows])
            states_of_words = network.masked_states(words)
            found = masked_loss(states_of_words, network.output, network.output_bias, targets, chosen,
                                network.vocabulary)  # fmt: skip
            follows = to_device(pairs.follows[rows], device)
            yield found + next_sentence_loss(network.next_logits(states), follows, count)

    def batch(self, step: int) -> tuple[Pairs, MaskedIds]:
        """What the step reads: a pure function of seed and step."""
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

    def look(self, step: int) -> EvalReport:
        return EvalReport(self._figures(batches=6), [self._sample(i) for i in range(SAMPLES)])

    def measure(self) -> dict[str, float]:
        return self._figures(batches=40)

    def _some(self, pairs: SentencePairs, seed: int, rows: int, length: int) -> tuple[Pairs, MaskedIds]:
        batch = pairs.batch(seed, rows=rows, length=length)
        vocab = self.network.config.vocab
        return batch, mask_tokens(
            batch.ids, batch.ordinary, mask=self.encoder.mask, vocab=vocab, seed=key(seed, "hide")
        )

    @torch.inference_mode()
    def _figures(self, batches: int) -> dict[str, float]:
        """Over the same pairs of the held-out text at every look."""
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
