"""Options of generate."""

import secrets
from pathlib import Path
from typing import Annotated

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Count, Range, settings
from gptwright.inference.sampling import Sampling


@settings
class Generate:
    """Continue a text; or, with --prompts, answer every prompt of a JSON Lines file."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, of a run (its last model), or of Hugging Face"""
    prompt: tyro.conf.Positional[str] = ""
    """text to continue, to edit or to translate"""
    image: tuple[Path, ...] = ()
    """images that the text asks about, of a model that sees: the answer of a conversation"""
    suffix: str = ""
    """text that comes after: what stands between is written, by a model that codex taught to insert"""
    edit: str = ""
    """what is to be done to the text, by a model that codex taught to edit"""
    prompts: Path | None = None
    """JSON Lines of {"prompt"} or {"messages"}: conversations to answer"""
    n: Annotated[int, Range(1, 10**4)] = 1
    """answers a prompt"""
    out: Path | None = None
    """JSON Lines to write; stdout when not given"""
    max_tokens: Count = 128
    """length at most"""
    temperature: float = 0.7
    """0 always takes the likeliest token"""
    top_k: int = 0
    """draw among the k likeliest only; 0 is off"""
    top_p: float = 1.0
    """draw among the likeliest that together have this probability"""
    min_p: float = 0.0
    """draw among those at least this many times as likely as the likeliest"""
    repetition_penalty: float = 1.0
    """above 1, what was written or given is less likely to come again"""
    stop: tuple[str, ...] = ()
    """texts that end the reply"""
    seed: int | None = None
    """the same seed gives the same text"""
    logprobs: int | None = None
    """of a PROMPT: every token as JSON, with the model's own log-probability and so many of the likeliest"""
    dtype: Dtype = "auto"
    """number format in which the model writes"""
    draft: Path | None = None
    """a smaller model with the same tokenizer: the text is the same, and comes sooner where it is often right"""

    def __post_init__(self) -> None:
        if bool(self.prompt) == bool(self.prompts):
            got = "both" if self.prompt else "none of them"
            raise ConfigError("either a PROMPT or --prompts FILE", got, "Give one.")
        if self.suffix and self.edit:
            raise ConfigError("either --suffix or --edit", "both", "Give one.")
        if self.image and (self.suffix or self.edit):
            raise ConfigError("--image with a question as PROMPT", "with --suffix or --edit", "Leave one of them out.")
        alone = {
            "--image": bool(self.image),
            "--logprobs": self.logprobs is not None,
            "--suffix": bool(self.suffix),
            "--edit": bool(self.edit),
        }
        for name, given in alone.items():
            if self.prompts and given:
                raise ConfigError(f"{name} with a PROMPT", "with --prompts", "Leave one of them out.")
        self.sampling()

    def sampling(self) -> Sampling:
        """How the text is sampled; without a seed, from another seed at each call. Raises `SettingError`."""
        seed = secrets.randbits(62) if self.seed is None else self.seed
        return Sampling(max_tokens=self.max_tokens, temperature=self.temperature, top_k=self.top_k,
                        top_p=self.top_p, min_p=self.min_p, repetition_penalty=self.repetition_penalty,
                        stop=self.stop, seed=seed, logprobs=self.logprobs)  # fmt: skip
