"""Supervised fine-tuning: conversations of which only the assistant's tokens are learned, beside pretraining text."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstrations
from gptwright.evaluation.heldout_data import HeldoutData
from gptwright.foundations.device import device_of
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import key
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import MixedBatch, TextMixture, TokenSource

CHAT_DEFAULTS = GenerationConfig.of(Sampling(temperature=0.3, max_tokens=96))
FEW_QUESTIONS = 100


class SFTTask(TextMixture):
    """Every step learns from a batch of conversations and one of pretraining text."""

    def __init__(self, model: Model, conversations: Demonstrations, text: TokenSource, heldout: HeldoutData) -> None:
        super().__init__(model.network, [conversations, text])
        self.tokenizer, self.conversations, self.heldout = model.tokenizer, conversations, heldout

    def loss(self, batch: MixedBatch, shard: BatchShard) -> Iterator[Tensor]:
        """As a function of the step also where dropout draws, each process its own."""
        self.network.train()
        torch.manual_seed(key("dropout", self.conversations.seed, batch.step, shard.rank) >> 1)
        yield from super().loss(batch, shard)
        self.network.eval()

    @property
    def typical_length(self) -> int:
        """Tokens of a conversation on the average."""
        examples = self.conversations.examples
        return sum(len(example.ids) for example in examples) // len(examples)

    def evaluate(self, step: int) -> Evaluation:
        return self.heldout.evaluate(Model(self.network, self.tokenizer, "sft", CHAT_DEFAULTS))

    def measure_untaught(self, model: Model) -> Evaluation:
        """The same for one that was not taught to answer, on the device of the one that is: a hundred of the questions
        say that it cannot."""
        model.network.to(device_of(self.network))
        every = max(len(self.heldout.questions) // FEW_QUESTIONS, 1)
        return replace(self.heldout, questions=self.heldout.questions[::every]).evaluate(model)
