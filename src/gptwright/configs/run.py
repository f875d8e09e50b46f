"""Options of run."""

from pathlib import Path

import tyro

from gptwright.foundations.settings import settings


@settings
class Run:
    """Carry out a recipe: a chain of stages, each into its own folder. Again, it does nothing; killed, it goes on."""

    recipe: tyro.conf.Positional[Path]
    """TOML file, or the name of a recipe that comes with gptwright, such as tiny"""
    out: Path
    """folder of the run"""
    track: tuple[str, ...] = ()
    """who gets the metrics besides metrics.jsonl: tensorboard, trackio, wandb, mlflow"""
