"""A model that reads a whole sequence and gives numbers: a reward model, or a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.models.heads import SequenceModel
from gptwright.pipelines.export import ExportOptions
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.pipelines.moderation_config import UNSAID, ModerationConfig, write_moderation_config
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer

ROWS = 32


class SequenceScorer(LoadedModel):
    """A decoder under a head of one number (reward) or of several (classes), and its tokenizer."""

    network: SequenceModel

    def __init__(
        self,
        network: SequenceModel,
        tokenizer: Tokenizer | None,
        name: str,
        moderation: ModerationConfig = UNSAID,
    ) -> None:
        super().__init__(network, tokenizer, name)
        self.labels = network.labels
        self.moderation = moderation
        """which of a classifier's labels flag a text, and from which probability on"""

    @property
    def kind(self) -> str:
        if len(self.labels) == 1:
            return "a reward model, which scores answers and writes none"
        return f"a classifier of {len(self.labels)} classes, which writes nothing"

    @torch.inference_mode()
    def logits(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "N L"]:
        """The head's numbers for each row of ids, read at its last one: a reward, or a logit a class.

        Raises `InputError` for a row that is empty or beyond the context.
        """
        wrong = next((row for row in rows if not 0 < len(row) <= self.context), None)
        if wrong is not None:
            raise InputError(f"texts of 1 to {self.context} tokens", f"{len(wrong)}", "Shorten the text.")
        device, found = device_of(self.network), list[Tensor]()
        for at in range(0, len(rows), ROWS):
            some = rows[at : at + ROWS]
            last = torch.tensor([len(row) - 1 for row in some], device=device)
            found.append(self.network(padded(some, 0).to(device), last).view(len(some), -1))
        return torch.cat(found) if found else torch.empty(0, len(self.labels))

    def rows(self, text: str) -> list[list[int]]:
        """What is read of a text: its row of ids."""
        return [self.tokenizer.encode(text)]

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """What the head says of each text, by label."""
        logits = self.logits([row for text in texts for row in self.rows(text)])
        return [dict(zip(self.labels, row.tolist(), strict=True)) for row in logits]

    def classify(self, text: str) -> dict[str, float]:
        """The probability of each class. Raises `InputError` for a reward model, whose one number is none."""
        if len(self.labels) == 1:
            raise InputError("a classifier", f"{self.name}, {self.kind}", "Use .scores or .logits.")
        (row,) = self.logits(self.rows(text))
        return dict(zip(self.labels, row.softmax(-1).tolist(), strict=True))

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        super().save(folder, **how)
        write_moderation_config(self.moderation, folder)
