"""The lesson of an encoder with a decoder: say the target of a source, token by token (Vaswani et al. 2017, §5)."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from gptwright.evaluation.translation import TranslationScores, require_sacrebleu, translation_scores
from gptwright.foundations.device import device_of, to_device
from gptwright.foundations.intake import Intake
from gptwright.inference.beam import Search
from gptwright.objectives.language import IGNORED, next_token_loss, token_nats
from gptwright.pipelines.translator import Translator
from gptwright.pretraining.task import EvalReport, TaskInputs
from gptwright.pretraining.translation_batches import PairBatches
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.batches import key

SMOOTHING = 0.1  # §5.4
LOOKED_AT, MEASURED = 64, 1000  # held-out pairs that are translated
SHOWN = 2


class Translation:
    """Pairs of like length, `rows` × `length` tokens of each side in a step, padding counted."""

    def __init__(self, material: TaskInputs) -> None:
        require_sacrebleu()
        self.network, self.seed = material.network, material.seed
        self.translator = Translator(material.network, material.tokenizer, "pretrain")
        self.train, self.heldout = (
            PairBatches(
                tokens,
                start=self.translator.start,
                budget=material.batch_schedule.full * material.length,
                context=material.network.config.context,
                seed=material.seed,
            )
            for tokens in (material.train, material.heldout)
        )
        self.fewest_rows = int(np.diff(self.train.cuts).min())
        intake = Intake("pretrain")
        intake.drop("longer than the context", count=self.train.left_out + self.heldout.left_out)
        intake.tell(f"{len(self.train.pairs):,} pairs to train on, {len(self.heldout.pairs):,} held out")

    def losses(self, step: int, shard: BatchShard = WHOLE) -> Iterator[Tensor]:
        batch = self.train.batch(step)
        count, device = int((batch.targets != IGNORED).sum()), device_of(self.network)
        self.network.train()
        for rows in shard.slices(len(batch.source)):
            torch.manual_seed(key(self.seed, step, "dropout", rows.start))
            source, lengths, inputs = (to_device(x[rows], device) for x in (batch.source, batch.lengths, batch.inputs))
            states = self.network.decode(inputs, self.network.encode(source, lengths))
            yield next_token_loss(states, self.network.output, batch.targets[rows], SMOOTHING, count,
                                  self.network.vocabulary)  # fmt: skip

    def tokens(self, steps: int) -> int:
        """On the average; padding is not counted."""
        return round(steps * int(self.train.lengths.sum()) / self.train.count)

    def epochs(self, steps: int) -> float:
        return steps / self.train.count

    def look(self, step: int) -> EvalReport:
        places = self._places(LOOKED_AT)
        hypotheses, scores = self._scores(places)
        samples = [
            f"{self._text(source)} → {hypothesis} (reference: {self._text(target)})"
            for (source, target), hypothesis in zip(map(self.heldout.pair, places[:SHOWN]), hypotheses, strict=False)
        ]
        return EvalReport({**self._nats(), "heldout_bleu": scores.bleu, "heldout_chrf": scores.chrf}, samples)

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
        found = [self._text(ids) for ids in self.translator.translated(sources, Search())]
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
