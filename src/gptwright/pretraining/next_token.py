"""A decoder's task: predict the next token (GPT-1 §3.1, GPT-2 §2)."""

from collections.abc import Iterator

from torch import Tensor

from gptwright.evaluation.perplexity import require_window, text_loss
from gptwright.inference.packed_model import dtype_of
from gptwright.pipelines.model import Model
from gptwright.pretraining.task import TaskInputs
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import TokenBatch, Windows
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import next_token_losses

PROMPTS = ("It was a", "The old man")


class NextToken:
    """Windows of running text; every token is predicted from those before it."""

    def __init__(self, inputs: TaskInputs) -> None:
        self.network, self.heldout, self.length = inputs.network, inputs.heldout, inputs.length
        self.separator = inputs.tokenizer.eos_id if inputs.by_document else None
        self.model = Model(inputs.network, inputs.tokenizer, "pretrain", dtype=dtype_of(inputs.network))
        self.windows = Windows(inputs.train, inputs.length, inputs.batch_schedule, inputs.seed)
        require_window(inputs.heldout, inputs.length)
        self.fewest_rows = inputs.batch_schedule.rows(0)

    def batch(self, step: int) -> TokenBatch:
        return self.windows.batch(step)

    def loss(self, batch: TokenBatch, shard: BatchShard) -> Iterator[Tensor]:
        return next_token_losses(self.network, batch, shard, self.separator)

    def tokens(self, steps: int) -> int:
        return self.windows.batch_schedule.before(steps) * self.length

    def epochs(self, steps: int) -> float:
        return self.windows.batch_schedule.before(steps) / self.windows.count

    def evaluate(self, step: int) -> Evaluation:
        self.model.engine.refresh()
        prompts = [self._within_context(prompt) for prompt in PROMPTS]
        texts = [p + self.model.generate(p, max_tokens=40, temperature=0.8, seed=step) for p in prompts]
        return Evaluation(metrics=self._metrics(windows=48), samples=texts)

    def _within_context(self, prompt: str) -> str:
        """As much of it as leaves room for one more token in a small context."""
        while prompt and len(self.model.text_ids(prompt)) >= self.model.context:
            prompt = prompt[:-1]
        return prompt

    def measure(self) -> dict[str, float]:
        return self._metrics(windows=200)

    def _metrics(self, windows: int) -> dict[str, float]:
        loss = text_loss(self.network, self.heldout, length=self.length, windows=windows, opening=self.separator)
        return {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte}
