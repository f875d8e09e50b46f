"""Options of chat."""

from dataclasses import replace
from pathlib import Path

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.settings import Count, settings
from gptwright.inference.sampling import Sampling


@settings
class Chat:
    """Talk with a model in the terminal."""

    model: tyro.conf.Positional[Path | None] = None
    """folder of a stage, of a run (its last model), or of Hugging Face; without it the newest model under runs/"""
    image: tuple[Path, ...] = ()
    """images that the first message is about, of a model that sees"""
    temperature: float | None = None
    """0 always says the likeliest; the model's folder has a default"""
    max_tokens: Count | None = None
    """a reply's length at most"""
    seed: int | None = None
    """the same seed and the same words give the same replies"""
    dtype: Dtype = "auto"
    """number format in which the model writes"""
    draft: Path | None = None
    """a smaller model with the same tokenizer: the text is the same, and comes sooner where it is often right"""

    def __post_init__(self) -> None:
        asked_of(self, Sampling())


def asked_of(config: Chat, sampling: Sampling) -> Sampling:
    """The settings of the model's folder, and what is asked for in their place. Raises `InputError` for nonsense."""
    asked = {"temperature": config.temperature, "max_tokens": config.max_tokens, "seed": config.seed}
    return replace(sampling, **{name: value for name, value in asked.items() if value is not None})
