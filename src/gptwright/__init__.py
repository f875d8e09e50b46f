"""gptwright: the GPT family and your own ChatGPT, from raw text to a chat page, on the machine you have.

import gptwright
model = gptwright.load("runs/start/08-ppo")
print(model.chat([{"role": "user", "content": "What does Mira do?"}]))
"""

from typing import TYPE_CHECKING, Any

from gptwright.foundations.version import __version__

if TYPE_CHECKING:
    from gptwright.pipelines.encoder import Encoder
    from gptwright.pipelines.load import load
    from gptwright.pipelines.model import Model
    from gptwright.pipelines.translator import Translator

__all__ = ["Encoder", "Model", "Translator", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """`load` and its results arrive when first asked for: they import torch, which takes seconds."""
    if name in __all__:
        from gptwright.pipelines import load

        return getattr(load, name)
    raise AttributeError(f"module 'gptwright' has no attribute '{name}'")
