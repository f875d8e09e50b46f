"""Options of why."""

from pathlib import Path

import tyro

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Count, Threads, settings


@settings
class Why:
    """Show where an answer comes from: passages, demonstrations and rankings that the model learned."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, or of a run (its last model)"""
    answer: tyro.conf.Positional[str] = ""
    """what the model said, or might say; with --prompt alone the model answers first, always the likeliest"""
    prompt: str | None = None
    """what was asked: demonstrations and rankings are weighed by it"""
    conversation: Path | None = None
    """JSON Lines of {"messages"}, such as /save of chat leaves: what was asked in several turns, and the answer"""
    most: Count = 3
    """of each kind that are shown"""
    json: bool = False
    """print one JSON object instead of text"""
    out: Path | None = None
    """a page too, one file"""
    threads: Threads = 2
    """processor threads"""

    def __post_init__(self) -> None:
        if self.prompt is not None and self.conversation:
            raise ConfigError("either --prompt or --conversation", "both", "Give one.")
        if not self.answer.strip() and not (self.prompt or "").strip() and not self.conversation:
            raise ConfigError("an answer, or a --prompt for the model to answer", "neither",
                              'gptwright why MODEL "She is a baker." --prompt "Who is Mira?"')  # fmt: skip
