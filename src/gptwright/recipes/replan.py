"""Keeping to the minutes: before a stage begins, its steps are made fewer or more when the machine's speed has changed.

What is decided stands in the recipe before the stage begins, so that the stage goes on with it when it was stopped,
and the recipe does the same work anywhere.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.runs import RECORD
from gptwright.recipes.plan import amount, amount_of, share_out, sizes_of
from gptwright.recipes.read import Recipe

LATE, EARLY = 0.03, 0.10  # the plan stands while its end is at most so far off, as a share of the minutes


def seconds_taken(recipe: Recipe, out: Path) -> dict[str, float]:
    """Seconds that every stage which has begun has taken so far, by name."""
    records = {step.name: recipe.folder(out, step.name) / RECORD for step in recipe.steps}
    return {name: float(read_json(path)["seconds"]) for name, path in records.items() if path.is_file()}


def replanned(recipe: Recipe, name: str, spent: float, took: Mapping[str, float]) -> Recipe:
    """The recipe with the sizes that fit into what is left when the stage `name` is to begin.

    `spent` are the seconds since the beginning, `took` those of the stages that are complete. Only what is still to
    come is changed.
    """
    each, fixed, minutes = (recipe.plan.get(key) for key in ("each", "fixed", "minutes"))
    if each is None or fixed is None or minutes is None or name not in each:
        return recipe
    expected = {step.name: fixed[step.name] + each.get(step.name, 0.0) * amount_of(step.table) for step in recipe.steps}
    done = [stage for stage in took if stage in each]
    slow = sum(took[stage] for stage in done) / sum(expected[stage] for stage in done) if done else 1.0
    names = [step.name for step in recipe.steps]
    coming = names[names.index(name) :]
    rest_fixed = slow * (sum(fixed[stage] for stage in coming) + fixed["report"])
    work = sum(expected[stage] - fixed[stage] for stage in coming)
    off = (spent + rest_fixed + slow * work) / (60 * minutes) - 1
    if -EARLY <= off <= LATE:
        return recipe
    slowed = {stage: slow * each[stage] for stage in coming if stage in each}
    meant = share_out(60 * minutes - spent - rest_fixed, slowed)
    sizes = {stage: sizes_of(stage, amount(stage, meant[stage], slowed[stage])) for stage in slowed}
    seconds = {stage: round(slow * fixed[stage] + meant[stage], 1) for stage in slowed}
    steps = [replace(step, table=step.table | sizes.get(step.name, {})) for step in recipe.steps]
    return replace(recipe, steps=steps, plan=recipe.plan | {"seconds": recipe.plan["seconds"] | seconds})
