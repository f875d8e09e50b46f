"""Between stages the plan follows the machine: a pure function of what was planned and what was measured since."""

from dataclasses import replace

import pytest

from gptwright.recipes.measure import Shape, Speeds
from gptwright.recipes.plan import LEAST, SIZES, Examples, Wish, amount_of, plan
from gptwright.recipes.read import Recipe
from gptwright.recipes.replan import EARLY, LATE, replanned

LAPTOP = Speeds(pretrain_step=0.12, sft_step=0.1, reward_step=0.15, ppo_update=4.0, answer=0.004, window=0.003)
WISH = Wish(minutes=5, data=("bundled:plays",), seed=7, model="", spent=10.0, max_characters=10**8, threads=2,
            examples=Examples(megacharacters=5.0, conversations=10**7, rankings=10**7), dtype="float32")  # fmt: skip
PLANNED = plan(WISH, SIZES["nano"], LAPTOP, Shape())
NAMES = [step.name for step in PLANNED.steps]


def amounts(recipe: Recipe) -> dict[str, int]:
    return {step.name: amount_of(step.table) for step in recipe.steps if step.name in LEAST}


def at(name: str, speed: float, recipe: Recipe = PLANNED) -> tuple[float, dict[str, float]]:
    """Seconds spent, and what each stage took, when `name` is to begin and all takes `speed` times as long."""
    fixed, each = recipe.plan["fixed"], recipe.plan["each"]
    took = {
        step.name: speed * (fixed[step.name] + each.get(step.name, 0.0) * amount_of(step.table))
        for step in recipe.steps[: NAMES.index(name)]
    }
    return fixed["start"] + sum(took.values()), took


def end(recipe: Recipe, name: str, spent: float, speed: float) -> float:
    """When all will be done, at that speed from `name` on."""
    fixed, each = recipe.plan["fixed"], recipe.plan["each"]
    coming = [step for step in recipe.steps[NAMES.index(name) :]]
    return spent + speed * sum(fixed[s.name] + each.get(s.name, 0.0) * amount_of(s.table) for s in coming)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("speed", [0.98, 1.0])  # whole updates of ppo leave up to 2 % of the minutes
def test_a_plan_that_holds_is_left_alone(name: str, speed: float) -> None:
    assert replanned(PLANNED, name, *at(name, speed)) is PLANNED


@pytest.mark.parametrize(("name", "speed"), [("sft", 0.5), ("sft", 1.5), ("rank", 0.5), ("rank", 1.2)])
def test_another_speed_gives_other_sizes_that_end_in_time(name: str, speed: float) -> None:
    spent, took = at(name, speed)
    found = replanned(PLANNED, name, spent, took)
    before, now = amounts(PLANNED), amounts(found)
    for stage in before:
        if stage not in NAMES[NAMES.index(name) :]:
            assert now[stage] == before[stage]
        else:
            assert (now[stage] < before[stage]) == (speed > 1) and now[stage] != before[stage]
    assert end(found, name, spent, speed) == pytest.approx(300, abs=5 * speed)  # an update less or more
    assert found.plan["each"] == PLANNED.plan["each"]
    assert found.plan["seconds"]["prepare"] == PLANNED.plan["seconds"]["prepare"]


def test_stage_after_stage_it_follows_a_machine_that_grows_slower() -> None:
    recipe, spent, took = PLANNED, 10.0, dict[str, float]()
    for number, name in enumerate(NAMES):
        recipe = replanned(recipe, name, spent, took)
        speed, step = 1 + number / 10, recipe.steps[number]
        took[name] = speed * (recipe.plan["fixed"][name] + recipe.plan["each"].get(name, 0.0) * amount_of(step.table))
        spent += took[name]
    assert 300 * (1 - EARLY) < spent < 300 * (1 + LATE) + 20
    assert end(PLANNED, "prepare", 10.0, 1.4) > 390  # as it would have been


def test_late_minutes_leave_the_least() -> None:
    found = replanned(PLANNED, "sft", 400.0, at("sft", 1.0)[1])
    assert amounts(found) == LEAST | {"pretrain": amounts(PLANNED)["pretrain"]}


def test_what_the_dial_does_not_change_is_not_changed() -> None:
    assert replanned(PLANNED, "tokenize", 1000.0, {}) is PLANNED
    older = replace(PLANNED, plan={key: PLANNED.plan[key] for key in ("minutes", "data", "seed", "seconds")})
    assert replanned(older, "sft", 1000.0, {"pretrain": 900.0}) is older
