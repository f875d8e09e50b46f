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

LATE, EARLY = 0.03, 0.04  # the plan stands while its end is at most so far off, as a share of the minutes


def seconds_taken(recipe: Recipe, out: Path) -> dict[str, float]:
    """Seconds that every stage which has begun has taken so far, by name."""
    records = {step.name: recipe.folder(out, step.name) / RECORD for step in recipe.steps}
    return {name: float(read_json(path)["seconds"]) for name, path in records.items() if path.is_file()}


def replanned(recipe: Recipe, name: str, spent: float, took: Mapping[str, float]) -> Recipe:
    """The recipe with the sizes that fit into what is left when the stage `name` is to begin.

    `spent` are the seconds since the beginning, `took` those of the stages that are complete. Only what is still to
    come is changed.
    """
    plan = recipe.plan
    if not {"each", "fixed", "minutes", "most"} <= plan.keys() or name not in plan["each"]:
        return recipe
    seconds, slow = 60 * plan["minutes"], slowdown(recipe, took)
    names = [step.name for step in recipe.steps]
    coming = names[names.index(name) :]
    each = {stage: slow * plan["each"][stage] for stage in coming if stage in plan["each"]}
    fixed = {stage: slow * plan["fixed"][stage] for stage in (*coming, "report")}
    amounts = {step.name: amount_of(step.table) for step in recipe.steps}
    needed = spent + sum(fixed.values()) + sum(each[stage] * amounts[stage] for stage in each)
    if -EARLY <= needed / seconds - 1 <= LATE:
        return recipe
    meant = share_out(seconds - spent - sum(fixed.values()), each, plan["most"])
    sizes = {stage: sizes_of(stage, amount(stage, meant[stage], each[stage]), each[stage]) for stage in each}
    new = {stage: round(fixed[stage] + meant[stage], 1) for stage in each}
    steps = [replace(step, table=step.table | sizes.get(step.name, {})) for step in recipe.steps]
    return replace(recipe, steps=steps, plan=plan | {"seconds": plan["seconds"] | new})


def slowdown(recipe: Recipe, took: Mapping[str, float]) -> float:
    """How many times as long as planned the complete stages took; 1 before there are any."""
    each, fixed = recipe.plan["each"], recipe.plan["fixed"]
    amounts = {step.name: amount_of(step.table) for step in recipe.steps}
    done = [stage for stage in took if stage in each]
    expected = sum(fixed[stage] + each[stage] * amounts[stage] for stage in done)
    return sum(took[stage] for stage in done) / expected if done else 1.0
