"""Supervised fine-tuning: conversations of which only the assistant's tokens are learned, beside pretraining text."""

from collections.abc import Sequence
from dataclasses import dataclass

from gptwright.alignment.demonstrations import Demonstrations
from gptwright.evaluation.answers import Question, exact_answers
from gptwright.evaluation.perplexity import answer_loss, text_loss
from gptwright.foundations.device import device_of
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.text.pack import TokenFile
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import TextMixture, TokenSource

CHAT_DEFAULTS = GenerationConfig.of(Sampling(temperature=0.3, max_tokens=96))


@dataclass(frozen=True)
class Measures:
    """What a model is measured on: held-out text in windows of `length`, held-out conversations, and questions."""

    text: TokenFile
    length: int
    conversations: Demonstrations
    questions: Sequence[Question]

    def of(self, model: Model) -> Evaluation:
        """Loss on the text and on the conversations' answers, and the share of exact answers by kind of question."""
        loss = text_loss(model.network, self.text, length=self.length, windows=200)
        exact = exact_answers(model, self.questions)
        metrics = {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte}
        if self.conversations.examples:
            metrics["heldout_answer_nats"] = answer_loss(model.network, self.conversations.in_order())
        return Evaluation(metrics=metrics, estimates=exact)


class SFTTask(TextMixture):
    """Every step learns from a batch of conversations and one of pretraining text."""

    def __init__(self, model: Model, conversations: Demonstrations, text: TokenSource, measures: Measures) -> None:
        super().__init__(model.network, [conversations, text])
        self.tokenizer, self.conversations, self.measures = model.tokenizer, conversations, measures

    @property
    def typical_length(self) -> int:
        """Tokens of a conversation on the average."""
        examples = self.conversations.examples
        return sum(len(example.ids) for example in examples) // len(examples)

    def evaluate(self, step: int) -> Evaluation:
        return self.measure(Model(self.network, self.tokenizer, "sft", CHAT_DEFAULTS))

    def measure(self, model: Model) -> Evaluation:
        """The same for another model, on the device of the one that is trained."""
        model.network.to(device_of(self.network))
        return self.measures.of(model)
