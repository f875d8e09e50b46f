"""What every loaded model has: a network, a name, its context, and, where its folder brought one, a tokenizer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from torch import nn

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.inference.content import Content
from gptwright.models.formats.huggingface import mapping_of
from gptwright.pipelines.export import ExportOptions, export
from gptwright.pipelines.generation_config import UNSAID, GenerationConfig
from gptwright.tokenizers.chat_templates.chat import Message, render
from gptwright.tokenizers.chat_templates.template import Tool
from gptwright.tokenizers.tokenizer import Tokenizer


class LoadedModel:
    """Ids go in and logits come out without a tokenizer; what needs one raises `ArtifactError`."""

    def __init__(
        self, network: nn.Module, tokenizer: Tokenizer | None, name: str, defaults: GenerationConfig = UNSAID
    ) -> None:
        self.network: Any = network
        self.name = name
        self.context: int = self.network.config.context
        self._tokenizer = tokenizer
        self._defaults = defaults

    @property
    def tokenizer(self) -> Tokenizer:
        """Raises `ArtifactError` when there is none."""
        if self._tokenizer is None:
            raise ArtifactError(f"a tokenizer in {self.name}, for texts", "a folder without one",
                                "Put its tokenizer.json there; ids need none: .logits, .generate_ids.")  # fmt: skip
        return self._tokenizer

    @property
    def architecture(self) -> str:
        """What `transformers` calls such a model."""
        return mapping_of(self.network.config).language_model

    def require_context(self, tokens: int) -> None:
        """Raises `InputError` for a text of more tokens than the context."""
        if tokens > self.context:
            raise InputError(f"at most {self.context} tokens, the model's context", f"{tokens}", "Shorten the text.")

    def rendered(self, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
        """What is read of a conversation, and which of it the assistant says. Raises as `render` does."""
        return render(messages, self.tokenizer)

    def chat_content(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Mapping[int, Content]:
        """What stands in the images' places of a conversation, of a model that sees. Raises as `decode_image` does."""
        return {}

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        """Writes a Hugging Face folder; `how` is that of `pipelines.export.export`."""
        export(self.network, self.tokenizer, folder, self._defaults, **how)
