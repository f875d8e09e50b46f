"""Options of improve."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro

from gptwright.configs.validation import known, without_password
from gptwright.foundations.settings import FREE, Range, Seed, Threads, settings
from gptwright.text.rule_labeller import RULES

Method = Literal["auto", "dpo", "ppo"]
BEST_WEIGHT = 6.0
"""of the best answers' likelihood where rankings are learned directly: so a model keeps what it knows"""


@settings
class FeedbackOptions:
    """What people said of answers, and how it is learned."""

    rankings: tuple[Path, ...] = ()
    """JSON Lines of ranked answers, or of chosen/rejected pairs, such as answers and what they were edited to"""
    demonstrations: tuple[Path, ...] = ()
    """JSON Lines of conversations: each last answer is better than what the model says itself"""
    from_store: str | None = field(default=None, metadata=FREE)
    """store of labels: a run's folder, a file of SQLite or a URL; where no file is given at all, that of the run"""
    questions: Path | None = None
    """JSON Lines of questions that show what is unlearned; those that the run has"""
    rule: str = ""
    """name of a rule that counts the wins; that of the rankings' labeller"""
    method: Method = "auto"
    """dpo: straight from the rankings; ppo: by a reward model; auto: by how many rankings there are"""
    minutes: Annotated[float, Range(0, 240, above=True)] = 3.0
    """how long it may take; decides the steps"""
    lora: Annotated[int, Range(0, 1024)] | None = None
    """LoRA's rank, 0: every weight learns; without it 8 for models of over 50 million parameters, 0 for others"""
    threads: Threads = 2
    """processor threads; another number gives slightly other weights"""
    seed: Seed = 1
    """order of the data, and sampling"""

    def __post_init__(self) -> None:
        without_password(self.from_store)
        known(self.method, get_args(Method), "method")
        if self.rule:
            known(self.rule, RULES, "rule")


@settings
class Improve(FeedbackOptions):
    """Make a run's model better from what people say of its answers, and keep it only when it is better."""

    run: tyro.conf.Positional[Path]
    """run folder, as start or run leaves it; with --out any model: a folder, or a packaged name (smollm2-135m)"""
    out: Path | None = None
    """a run to make of a model that belongs to none"""
    undo: bool = False
    """go back to the model before the last promotion"""


@settings
class Improvement(FeedbackOptions):
    """One of a run: from which model it begins, and what that must not unlearn."""

    policy: Path
    """folder of the model that is in use"""
    tokens: Path
    """folder of tokenize: text of the model's, mixed in and held out"""
    conversations: tuple[Path, ...] = ()
    """what the model was taught, mixed in"""
    labels: str = ""
    """SHA-256 of what the store holds"""
