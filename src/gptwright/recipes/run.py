"""Carrying out a recipe: every stage into its folder, skipping what is complete, going on where it stopped."""

from pathlib import Path

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.recipes.read import Recipe, read_recipe, write_recipe
from gptwright.stages.catalogue import carry_out

RECIPE = "recipe.toml"


def run_recipe(recipe: Recipe, out: Path) -> None:
    """Leaves `out/recipe.toml` and a folder a stage. Raises what a stage raises; finished stages stay as they are.

    Every configuration is checked before the first stage starts.
    """
    _claim(recipe, out)
    for step, config in list(recipe.configs(out)):
        folder = recipe.folder(out, step.name)
        say(f"── {folder.name}")
        carry_out(step.verb, config, folder)


def _claim(recipe: Recipe, out: Path) -> None:
    """Writes the recipe into a new folder, or checks that the folder's recipe is the same."""
    path = out / RECIPE
    if not path.exists():
        write_recipe(recipe, path)
        return
    there = {step.name: step for step in read_recipe(path).steps}
    for step in recipe.steps:
        if there.get(step.name) != step:
            raise ConfigError(f"the recipe that {path} holds", f"another [{step.name}]",
                              "Choose another folder with --out.")  # fmt: skip
