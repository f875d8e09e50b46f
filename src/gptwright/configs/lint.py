"""Options of lint."""

from typing import Annotated

import tyro

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Range, settings


@settings
class Lint:
    """Look for faults in files of text, conversations and rankings. Exits with 1 when there are any."""

    files: tyro.conf.Positional[tuple[str, ...]]
    """files, folders or globs of what prepare, sft, reward and others read"""
    max_characters: Annotated[int, Range(100, 10**9)] = 1_000_000
    """a text is too long beyond so many characters"""
    examples: Amount = 20
    """of each kind of fault, how many are printed; all are counted"""

    def __post_init__(self) -> None:
        if not self.files:
            raise ConfigError("files or folders to look through", "none", "gptwright lint data/ conversations.jsonl")
