"""Options of clip."""

from pathlib import Path

from gptwright.configs.training import TextOptions
from gptwright.foundations.settings import Amount, Rows, settings


@settings
class Clip(TextOptions):
    """Train an image encoder and a text encoder from nothing to find what belongs together (CLIP)."""

    captions: tuple[Path, ...]
    """JSON Lines of {"image": a file, or a part of one as sheet.webp#xywh=0,32,32,32, "text": what it shows}"""
    tokens: Path
    """folder of tokenize, whose tokenizer reads the captions"""
    preset: str = "clip-nano"
    """sizes of both encoders, by the name of a CLIP"""
    batch_size: Rows = 96
    """images and captions a step: each is to be found among all of them"""
    warmup: Amount = 50
    """steps in which the rate rises"""
    eval_every: Amount = 200
    """steps between looks at held-out captions; 0: none"""
