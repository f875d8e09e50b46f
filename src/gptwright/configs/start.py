"""Options of start."""

from pathlib import Path
from typing import Annotated

from gptwright.foundations.settings import Port, Range, Seed, settings


@settings
class Start:
    """Make your own ChatGPT from text: prepare, tokenize, pretrain, sft, rank, reward, ppo, report, chat."""

    minutes: Annotated[float, Range(1, 240)] = 5.0
    """how long it may take; decides the sizes"""
    data: tuple[str, ...] = ("bundled:novels", "bundled:plays", "bundled:wordnet")
    """your own text: files, folders, globs; add "bundled" to keep the bundled text too"""
    model: str = ""
    """a decoder's named size, such as llama-nano, instead of the GPT-2 that fits"""
    out: Path | None = None
    """folder of the run; without it runs/start, or runs/start-2 and so on for other wishes"""
    seed: Seed = 1
    """everything that is drawn at random"""
    serve: bool = True
    """end with the chat page (--no-serve: end when the report is written)"""
    port: Port = 8000
    """the page's port; any free one when it is taken"""
    track: tuple[str, ...] = ()
    """who gets the metrics besides metrics.jsonl: tensorboard, trackio, wandb, mlflow"""
