"""run: carry out a recipe."""

from pathlib import Path

import tyro

from gptwright.foundations.processes import is_first
from gptwright.foundations.settings import settings
from gptwright.recipes.read import find_recipe, read_recipe
from gptwright.recipes.run import run_recipe


@settings
class Run:
    """Carry out a recipe: a chain of stages, each into its own folder. Again, it does nothing; killed, it goes on."""

    recipe: tyro.conf.Positional[Path]
    """TOML file, or the name of a recipe that comes with gptwright, such as tiny"""
    out: Path
    """folder of the run"""
    track: tuple[str, ...] = ()
    """who gets the figures besides metrics.jsonl: tensorboard, trackio, wandb, mlflow"""


def run(config: Run) -> None:
    """Prints the run's folder when every stage is complete."""
    run_recipe(read_recipe(find_recipe(config.recipe)), config.out, config.track)
    if is_first():
        print(config.out)
