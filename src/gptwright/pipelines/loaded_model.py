"""What every loaded model has: a network, a name, its context, and, where its folder brought one, a tokenizer."""

from typing import Any

from torch import nn

from gptwright.foundations.errors import ArtifactError
from gptwright.models.config import config_of
from gptwright.tokenizers.tokenizer import Tokenizer


class LoadedModel:
    """Ids go in and logits come out without a tokenizer; what needs one raises `ArtifactError`."""

    def __init__(self, network: nn.Module, tokenizer: Tokenizer | None, name: str) -> None:
        self.network: Any = network
        self.name = name
        self.context = config_of(network).context
        self._tokenizer = tokenizer

    @property
    def tokenizer(self) -> Tokenizer:
        """Raises `ArtifactError` when there is none."""
        if self._tokenizer is None:
            raise ArtifactError(f"a tokenizer in {self.name}, for texts", "a folder without one",
                                "Put its tokenizer.json there; ids need none: .logits, .generate_ids.")  # fmt: skip
        return self._tokenizer
