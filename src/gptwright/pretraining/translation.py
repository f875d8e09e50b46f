"""The task of an encoder with a decoder: say the target of a source, token by token (Vaswani et al. 2017, §5)."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from gptwright.evaluation.translation import TranslationScores, require_sacrebleu, translation_scores
from gptwright.foundations.device import device_of, to_device
from gptwright.foundations.intake import Intake
from gptwright.inference.beam import BeamSearch
from gptwright.objectives.language import IGNORED, next_token_loss, token_nats
from gptwright.pipelines.translator import Translator
from gptwright.pretraining.task import TaskInputs
from gptwright.pretraining.translation_batches import PairBatch, PairBatches
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import key
from gptwright.training.evaluation import Evaluation

SMOOTHING = 0.1  # §5.4
LOOKED_AT, MEASURED = 64, 1000  # held-out pairs that are translated
SHOWN = 2


class Translation:
    """Pairs of like length, `rows` × `length` tokens of each side in a step, padding counted."""

    def __init__(self, inputs: TaskInputs) -> None:
        require_sacrebleu()
        self.network, self.seed = inputs.network, inputs.seed
        self.translator = Translator(inputs.network, inputs.tokenizer, "pretrain")
        self.train, self.heldout = (
            PairBatches(
                tokens,
                start=self.translator.bos,
                budget=inputs.batch_schedule.full * inputs.length,
                context=inputs.network.config.context,
                seed=inputs.seed,
            )
            for tokens in (inputs.train, inputs.heldout)
        )
        self.fewest_rows = int(np.diff(self.train.cuts).min())
        intake = Intake("pretrain")
        intake.drop("longer than the context", count=self.train.left_out + self.heldout.left_out)
        intake.report(f"{len(self.train.pairs):,} pairs to train on, {len(self.heldout.pairs):,} held out")

    def batch(self, step: int) -> PairBatch:
        return self.train.batch(step)

    def loss(self, batch: PairBatch, shard: BatchShard) -> Iterator[Tensor]:
        count, device = int((batch.targets != IGNORED).sum()), device_of(self.network)
        self.network.train()
        for rows in shard.slices(batch.rows):
            torch.manual_seed(key(self.seed, batch.step, "dropout", rows.start))
            source, lengths, inputs = (to_device(x[rows], device) for x in (batch.source, batch.lengths, batch.inputs))
            states = self.network.decode(inputs, self.network.encode(source, lengths))
            yield next_token_loss(states, self.network.output, batch.targets[rows], SMOOTHING, count,
                                  self.network.vocabulary)  # fmt: skip

    def tokens(self, steps: int) -> int:
        """On the average; padding is not counted."""
        return round(steps * int(self.train.lengths.sum()) / self.train.count)

    def epochs(self, steps: int) -> float:
        return steps / self.train.count

    def evaluate(self, step: int) -> Evaluation:
        places = self._places(LOOKED_AT)
        hypotheses, scores = self._scores(places)
        samples = [
            f"{self._text(source)} → {hypothesis} (reference: {self._text(target)})"
            for (source, target), hypothesis in zip(map(self.heldout.pair, places[:SHOWN]), hypotheses, strict=False)
        ]
        metrics = {**self._nats(), "heldout_bleu": scores.bleu, "heldout_chrf": scores.chrf}
        return Evaluation(metrics=metrics, samples=samples)

    def measure(self) -> dict[str, float | str]:
        places = self._places(MEASURED)
        _, scores = self._scores(places)
        return {
            **self._nats(),
            "heldout_bleu": scores.bleu,
            "heldout_chrf": scores.chrf,
            "bleu_signature": scores.bleu_signature,
            "chrf_signature": scores.chrf_signature,
            "heldout_pairs_translated": len(places),
            "pairs_left_out": self.train.left_out,
            "heldout_pairs_left_out": self.heldout.left_out,
        }

    def _places(self, most: int) -> list[int]:
        """Evenly spread over the held-out pairs."""
        count = len(self.heldout.pairs)
        return np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()

    def _scores(self, places: Sequence[int]) -> tuple[list[str], TranslationScores]:
        sources, targets = zip(*(self.heldout.pair(place) for place in places), strict=True)
        found = [self._text(ids) for ids in self.translator.translated(sources, BeamSearch())]
        return found, translation_scores(found, [self._text(target) for target in targets])

    def _text(self, ids: Sequence[int]) -> str:
        return self.translator.tokenizer.decode(ids)

    @torch.inference_mode()
    def _nats(self) -> dict[str, float]:
        """Means over the target tokens of all held-out pairs, end tokens included."""
        self.network.eval()
        plain = smoothed = count = 0.0
        device = device_of(self.network)
        for batch in self.heldout.in_order():
            source, lengths, inputs = (x.to(device) for x in (batch.source, batch.lengths, batch.inputs))
            states = self.network.decode(inputs, self.network.encode(source, lengths))
            output, vocabulary = self.network.output.detach(), self.network.vocabulary
            targets = batch.targets.flatten().to(device)
            real = int((batch.targets != IGNORED).sum())
            plain += float(token_nats(states.flatten(0, 1), output, targets, vocabulary).sum())
            smoothed += float(next_token_loss(states, output, batch.targets, SMOOTHING, 1, vocabulary))
            count += real
        return {"heldout_nats": plain / count, "heldout_smoothed_nats": smoothed / count}
