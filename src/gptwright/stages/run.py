"""run: carry out a recipe."""

from gptwright.configs.run import Run
from gptwright.foundations.processes import is_first
from gptwright.recipes.read import find_recipe, read_recipe
from gptwright.recipes.run import run_recipe


def run(config: Run) -> None:
    """Prints the run's folder when every stage is complete."""
    run_recipe(read_recipe(find_recipe(config.recipe)), config.out, config.track)
    if is_first():
        print(config.out)
