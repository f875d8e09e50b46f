"""What every stage measures its models on, so that their figures can stand side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from gptwright.alignment.demonstrations import Demonstrations
from gptwright.evaluation.answers import Question, right_answers
from gptwright.evaluation.perplexity import answer_loss, text_loss
from gptwright.pipelines.model import Model
from gptwright.text.pack import TokenFile
from gptwright.training.evaluation import Evaluation


@dataclass(frozen=True)
class HeldoutData:
    """Text in windows of `length` tokens, questions, and conversations where there are some."""

    text: TokenFile
    length: int
    questions: Sequence[Question]
    conversations: Demonstrations | None = None

    def evaluate(self, model: Model) -> Evaluation:
        """Loss on the text and on the conversations' answers, and the share of right answers by kind of question."""
        loss = text_loss(model.network, self.text, length=self.length, windows=200)
        right = right_answers(model, self.questions)
        metrics = {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte}
        if self.conversations and self.conversations.examples:
            metrics["heldout_answer_nats"] = answer_loss(model.network, self.conversations.in_order())
        return Evaluation(metrics=metrics, estimates=right)
