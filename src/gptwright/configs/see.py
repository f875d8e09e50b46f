"""Options of see."""

from pathlib import Path

import tyro

from gptwright.foundations.settings import Count, settings


@settings
class See:
    """Look inside a model while it reads a text: attention, each layer's guess, heads, shapes, on one page."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, of a run (its last model), or of Hugging Face"""
    text: tyro.conf.Positional[str]
    """what it reads"""
    image: tuple[Path, ...] = ()
    """images that a model which sees reads where the text says <image>, or before it"""
    chat: bool = False
    """the text is what a user says: the model answers, and both are looked at"""
    max_tokens: Count = 64
    """of that answer, at most"""
    out: Path = Path("see.html")
    """the page, one file"""
