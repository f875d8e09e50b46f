"""Carrying out a recipe: every stage into its folder, skipping what is complete, going on where it stopped."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

from gptwright.configs.verbs import VERBS
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.folder_lock import lock_folder
from gptwright.foundations.processes import is_first
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, is_complete, read_record
from gptwright.recipes.read import Recipe, Step, read_recipe, write_recipe
from gptwright.recipes.stage import execute_stage

RECIPE = "recipe.toml"


def run_recipe(
    recipe: Recipe,
    out: Path,
    track: Sequence[str] = (),
    resized: Callable[[Recipe, str], Recipe] | None = None,
    ended: Callable[[str], None] | None = None,
) -> None:
    """Leaves `out/recipe.toml` and a folder a stage. Raises what a stage raises; finished stages stay as they are.

    Every configuration is checked before the first stage starts. `resized` may give the recipe other sizes when a stage
    of that name is to begin; they are written down before it does. `ended` is told the name of one that was done.
    """
    list(recipe.configs(out))
    with lock_folder(out):
        _claim(recipe, out)
        for name in [step.name for step in recipe.steps]:
            folder = recipe.folder(out, name)
            if resized and not (folder / RECORD).exists():
                recipe = resized(recipe, name)
                write_recipe(recipe, out / RECIPE)
            step, config = next(found for found in recipe.configs(out) if found[0].name == name)
            say(f"\n── {folder.name}: {_purpose(step)}")
            was_complete = is_complete(folder)
            execute_stage(step.verb, config, folder, track)
            if not was_complete:
                planned = recipe.plan.get("seconds", {}).get(name)
                meant = "" if planned is None else f" of {planned:.0f} planned"
                say(f"{name} took {read_record(folder)['seconds']:.0f} s{meant}")
                if ended:
                    ended(name)


def _purpose(step: Step) -> str:
    """What it is for, in a line."""
    control = ", of which the ranks were shuffled: it must learn nothing" if step.table.get("shuffled") else ""
    return VERBS[step.verb].help + control


def _claim(recipe: Recipe, out: Path) -> None:
    """Writes the recipe into a new folder, or checks that the folder's recipe is the same."""
    path = out / RECIPE
    if not path.exists():
        if is_first():
            write_recipe(recipe, path)
        return
    for there, asked in zip_longest(read_recipe(path).steps, recipe.steps):
        if there != asked:
            got = f"another [{asked.name}]" if asked else f"one without [{there.name}]"
            raise ConfigError(f"the recipe that {path} holds", got, "Choose another folder with --out.")
