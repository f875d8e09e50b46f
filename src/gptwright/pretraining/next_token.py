"""A decoder's lesson: say what comes next (GPT-1 §3.1, GPT-2 §2)."""

from collections.abc import Iterator

from torch import Tensor

from gptwright.evaluation.perplexity import TextLoss, text_loss
from gptwright.generation.model import Model
from gptwright.objectives.language import next_token_loss
from gptwright.pretraining.lesson import Look, Material
from gptwright.training.batches import Windows

OPENINGS = ("It was a", "The old man")


class NextToken:
    """Windows of running text, each token asked for from those before it."""

    def __init__(self, material: Material) -> None:
        self.network, self.heldout, self.length = material.network, material.heldout, material.length
        self.model = Model(material.network, material.tokenizer, "pretrain")
        self.windows = Windows(material.train, material.length, material.rows, material.seed)
        self.tokens_per_step = material.rows * material.length

    def losses(self, step: int) -> Iterator[Tensor]:
        ids, targets = self.windows.batch(step)
        yield next_token_loss(self.network.hidden(ids), self.network.output, targets)

    def epochs(self, steps: int) -> float:
        return steps * self.windows.rows / self.windows.count

    def look(self, step: int) -> Look:
        texts = [
            opening + self.model.generate(opening, max_tokens=40, temperature=0.8, seed=step) for opening in OPENINGS
        ]
        return Look(_figures(text_loss(self.network, self.heldout, length=self.length, windows=48)), texts)

    def measure(self) -> dict[str, float]:
        return _figures(text_loss(self.network, self.heldout, length=self.length, windows=200))


def _figures(loss: TextLoss) -> dict[str, float]:
    return {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte}
