"""A model that reads a whole sequence and gives numbers: a reward model, or one that was fine-tuned on a task."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.models.heads import EncoderClassifier, RewardModel, SequenceModel
from gptwright.pipelines.export import ExportOptions
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.pipelines.moderation_config import UNSAID, ModerationConfig, write_moderation_config
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.task_shapes import TaskShape, segments
from gptwright.tokenizers.tokenizer import Tokenizer

ROWS = 32


class SequenceScorer(LoadedModel):
    """A model under a head of one number (a reward, a similarity, a choice) or of several (classes), and its tokenizer.

    An example is a text, or the texts that the model's task `shape` asks for: two of them, or a context and choices.
    """

    network: SequenceModel

    def __init__(
        self,
        network: SequenceModel,
        tokenizer: Tokenizer | None,
        name: str,
        moderation: ModerationConfig = UNSAID,
    ) -> None:
        super().__init__(network, tokenizer, name)
        self.labels, self.shape = network.labels, network.shape
        self.is_encoder = isinstance(network, EncoderClassifier)
        self.chooses = self.shape is not None and self.shape.name == "multiple-choice"
        self.classifies = len(self.labels) > 1 or network.several
        self.moderation = moderation
        """which of a classifier's labels flag a text, and from which probability on"""

    @property
    def kind(self) -> str:
        if self.chooses:
            return "a model that chooses among answers, which writes none"
        if self.network.several:
            return f"a classifier of {len(self.labels)} labels, each true or not, which writes nothing"
        if self.classifies:
            return f"a classifier of {len(self.labels)} classes, which writes nothing"
        if isinstance(self.network, RewardModel):
            return "a reward model, which scores answers and writes none"
        return "a model that gives texts a number, which writes nothing"

    @torch.inference_mode()
    def logits(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "N L"]:
        """The head's numbers for each row of ids, as they stand: a reward, or a logit a class.

        Raises `InputError` for a row that is empty or beyond the context.
        """
        wrong = next((row for row in rows if not 0 < len(row) <= self.context), None)
        if wrong is not None:
            raise InputError(f"texts of 1 to {self.context} tokens", f"{len(wrong)}", "Shorten the text.")
        device, found = device_of(self.network), list[Tensor]()
        for at in range(0, len(rows), ROWS):
            some = rows[at : at + ROWS]
            last = torch.tensor([len(row) - 1 for row in some], device=device)
            ids = padded(some, 0).to(device)
            which = segments(ids, self._delimiter) if self.is_encoder else None
            found.append(self.network(ids, last, which).view(len(some), -1))
        return torch.cat(found) if found else torch.empty(0, len(self.labels))

    def probabilities(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "N L"]:
        """A classifier's labels for each row of ids. Raises as `logits` does."""
        return self.network.probabilities(self.logits(rows))

    def examples(self, examples: Sequence[Sequence[Sequence[int]]]) -> list[Float[Tensor, "L"]]:
        """The head's numbers for each example, given as its rows of ids: one a label, or one a choice.

        The states of both orders are added before the head, which has no bias; its numbers add up alike.
        """
        parts = self.logits([row for example in examples for row in example]).split([len(rows) for rows in examples])
        return [part[:, 0] if self.chooses else part.sum(0) for part in parts]

    def rows(self, *texts: str) -> list[list[int]]:
        """What is read of an example: its rows of ids, in the task's shape.

        Raises `InputError` when there are too few or too many texts.
        """
        ids = [self.tokenizer.encode(text) for text in texts]
        shape = self.shape
        if shape is None and self.is_encoder:
            shape = TaskShape.of_encoder("classification" if len(ids) == 1 else "entailment")
        if shape is not None:
            return shape.rows(ids, shape.marks(self.tokenizer))
        if len(ids) != 1:
            raise InputError("one text", f"{len(ids)}", f"{self.name} was trained on texts by themselves.")
        return ids

    def scores(self, examples: Sequence[str | Sequence[str]]) -> list[dict[str, float]]:
        """What the head says of each text or texts, by label: logits, or a similarity in the units it was taught."""
        made = [self.rows(*([example] if isinstance(example, str) else example)) for example in examples]
        middle, spread = (self.shape.middle, self.shape.spread) if self.shape else (0.0, 1.0)
        found = [(middle + spread * logits).tolist() for logits in self.examples(made)]
        names = (self.labels if not self.chooses else [str(number) for number in range(len(row))] for row in found)
        return [dict(zip(labels, row, strict=True)) for labels, row in zip(names, found, strict=True)]

    def classify(self, *texts: str) -> dict[str, float]:
        """The probability of each class or label, for one text or the two that the shape asks for.

        Raises `InputError` for a model whose one number is none.
        """
        if not self.classifies:
            raise InputError("a classifier", f"{self.name}, {self.kind}", "Use .scores, .choose or .logits.")
        (logits,) = self.examples([self.rows(*texts)])
        return dict(zip(self.labels, self.network.probabilities(logits).tolist(), strict=True))

    def choose(self, context: str, choices: Sequence[str]) -> list[float]:
        """The probability of each choice. Raises `InputError` for a model that was not taught to choose."""
        if not self.chooses:
            raise InputError("a model of multiple-choice", f"{self.name}, {self.kind}", "Use .classify or .scores.")
        (logits,) = self.examples([self.rows(context, *choices)])
        return logits.softmax(-1).tolist()

    def generate(self, *_: object, **__: object) -> NoReturn:
        """Raises `InputError`."""
        raise InputError("a model that writes", f"{self.name}, {self.kind}", "Use .classify, .choose or .scores.")

    chat = generate

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        super().save(folder, **how)
        write_moderation_config(self.moderation, folder)

    @property
    def _delimiter(self) -> int:
        return self.tokenizer.special_id(self.shape.delim if self.shape else "[SEP]")
