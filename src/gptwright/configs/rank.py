"""Options of rank."""

from pathlib import Path
from typing import Annotated

from gptwright.configs.validation import without_password
from gptwright.foundations.errors import ConfigError, nearest
from gptwright.foundations.settings import Range, Seed, Size, Threads, settings
from gptwright.text.rule_labeller import RULES


@settings
class Rank:
    """Sample several answers for each prompt and rank them by a rule (a simulated labeller)."""

    model: Path
    """folder of sft"""
    text: Path | None = None
    """folder of prepare: "Continue: ..." prompts are cut from it"""
    prompts: Path | None = None
    """JSON Lines of prompts to answer instead; a rule may read what else their lines say"""
    from_store: str | None = None
    """store with prompts to answer instead: a run's folder, a file of SQLite, or a URL (postgresql://USER@HOST/NAME)"""
    rule: str = "plain-words"
    """what the labeller prefers; the models never see it"""
    train_prompts: Annotated[int, Range(1, 10**5)] = 512
    """training prompts to answer and rank"""
    heldout_prompts: Annotated[int, Range(0, 10**5)] = 128
    """held-out prompts to answer and rank"""
    answers: Annotated[int, Range(2, 1000)] = 4
    """answers a prompt (K)"""
    max_tokens: Size = 48
    """an answer's length at most"""
    temperature: Annotated[float, Range(0, 100)] = 0.7
    """of sampling"""
    threads: Threads = 2
    """processor threads"""
    seed: Seed = 1
    """choice of prompts, and sampling"""

    def __post_init__(self) -> None:
        without_password(self.from_store)
        given = [name for name in ("text", "prompts", "from_store") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError("either text, prompts or from_store", " and ".join(given) or "neither",
                              "Give the folder of prepare as --text, or a file as --prompts.")  # fmt: skip
        if self.rule not in RULES:
            raise ConfigError("the name of a rule", f"'{self.rule}'", nearest(self.rule, RULES))
