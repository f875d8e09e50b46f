"""Code: running text with holes to fill in, and functions written from their description (Codex §4)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gptwright.alignment.demonstrations import Demonstration, Demonstrations
from gptwright.evaluation.perplexity import answer_loss, text_loss
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import IGNORED
from gptwright.tasks.fill_in_the_middle import FillInTheMiddle
from gptwright.text.jsonl import read_objects
from gptwright.text.pack import TokenFile
from gptwright.text.split import Split
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import TextMixture

WINDOWS, HOLES = 200, 12  # of held-out text: plain windows, and batches with holes


def read_solutions(
    path: Path, tokenizer: Tokenizer, context: int, intake: Intake
) -> Iterator[tuple[Split | None, str, Demonstration]]:
    """Every line's side, prompt and {"prompt", "completion"} as ids, of which the completion and its end are learned.

    `intake` is told of those that do not fit. Raises `InputError` naming the line that lacks a text.
    """
    for line in read_objects(path):
        texts: list[Any] = [line.get(name) for name in ("prompt", "completion")]
        if not all(isinstance(text, str) for text in texts) or not texts[1].strip():
            raise InputError(f"texts as 'prompt' and 'completion' of {line.where}", repr(texts)[:80],
                             'Add "prompt": "def …", "completion": "    return …".')  # fmt: skip
        prompt, completion = tokenizer.encode_many(texts)
        begin = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
        ids = [*begin, *prompt, *completion, tokenizer.eos_id]
        if len(ids) - 1 > context:
            intake.drop(f"of more than {context:,} tokens", line.where)
            continue
        hidden = len(ids) - 1 - len(completion) - 1
        yield line.split, texts[0], Demonstration(ids[:-1], [IGNORED] * hidden + ids[hidden + 1 :])


class CodexTask(TextMixture):
    """Every step learns from windows of text, and from solutions where there are some."""

    def __init__(
        self, network: Decoder, text: FillInTheMiddle, solutions: Demonstrations | None, heldout: "HeldoutCode"
    ) -> None:
        super().__init__(network, [text, solutions] if solutions else [text])
        self.heldout = heldout

    @property
    def losses(self) -> dict[str, float]:
        """Of the last step, apart."""
        return dict(zip(("text_nats", "solution_nats"), self.parts.tolist(), strict=False))

    def evaluate(self, step: int) -> Evaluation:
        """Losses on what is held out."""
        return self.heldout.evaluate(self.network)


class HeldoutCode:
    """Text in windows of `length` tokens, the same with holes, and solutions."""

    def __init__(
        self, text: TokenFile, length: int, holes: FillInTheMiddle, solutions: Sequence[Demonstration], pad: int
    ) -> None:
        self.text, self.length, self.holes = text, length, holes
        self.solutions = Demonstrations(solutions, 16, 0, pad)

    def evaluate(self, network: Decoder) -> Evaluation:
        """Nats a token: of the text from left to right, of middles after prefix and suffix, of solutions."""
        loss = text_loss(network, self.text, length=self.length, windows=WINDOWS)
        middles = answer_loss(network, (self.holes.middles(step) for step in range(HOLES)))
        metrics = {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte,
                   "heldout_middle_nats": middles}  # fmt: skip
        if self.solutions.examples:
            metrics["heldout_solution_nats"] = answer_loss(network, self.solutions.in_order())
        return Evaluation(metrics=metrics)
