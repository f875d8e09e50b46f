"""What a tokenizer's control tokens are for: the ids that close texts and turns, pad rows and begin texts."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Control tokens by their use, and the chat template. Text never becomes one of them."""

    begin: str | None
    """put before a text; None if the family has none"""
    end: str
    """closes a document, ends a text"""
    pad: str
    """fills rows of a batch"""
    stops: tuple[str, ...]
    """a reply ends with any of them"""
    template: str | None
    """Jinja chat template; None: it cannot chat"""
