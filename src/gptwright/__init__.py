"""gptwright: the GPT family and your own ChatGPT, from raw text to a chat page, on the machine you have.

import gptwright
model = gptwright.load("runs/start/08-ppo")
print(model.chat([{"role": "user", "content": "What does Mira do?"}]))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gptwright.foundations.version import __version__

if TYPE_CHECKING:
    from gptwright.foundations.errors import (
        ArtifactError,
        ConfigError,
        GptwrightError,
        InputError,
        Interrupted,
        ResourceError,
    )
    from gptwright.inference.sampling import Sampling
    from gptwright.pipelines.encoder import Encoder
    from gptwright.pipelines.load import load
    from gptwright.pipelines.model import Model
    from gptwright.pipelines.see import see
    from gptwright.pipelines.sequence_scorer import SequenceScorer
    from gptwright.pipelines.translator import Translator
    from gptwright.tokenizers.chat_templates.chat import Message
    from gptwright.tokenizers.tokenizer import Tokenizer

__all__ = [
    "ArtifactError", "ConfigError", "Encoder", "GptwrightError", "InputError", "Interrupted", "Message", "Model",
    "ResourceError", "Sampling", "SequenceScorer", "Tokenizer", "Translator", "__version__", "load", "see",
]  # fmt: skip
_MODULES = {
    "foundations.errors": ("ArtifactError", "ConfigError", "GptwrightError", "InputError", "Interrupted",
                           "ResourceError"),
    "inference.sampling": ("Sampling",),
    "pipelines.load": ("Encoder", "Model", "SequenceScorer", "Translator", "load"),
    "pipelines.see": ("see",),
    "tokenizers.chat_templates.chat": ("Message",),
    "tokenizers.tokenizer": ("Tokenizer",),
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Everything but the version is imported when it is first asked for: torch takes seconds."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"gptwright.{module}"), name)
    raise AttributeError(f"module 'gptwright' has no attribute '{name}'")
