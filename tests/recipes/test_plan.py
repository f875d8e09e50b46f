"""The one dial: minutes in, a recipe out. A pure function, so it is tested on machines that were made up."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from gptwright.models.catalogue import build, count
from gptwright.recipes.measure import Shape, Speeds
from gptwright.recipes.plan import (
    LEAST,
    MOST_UPDATES,
    PASSES,
    SHARES,
    SIZES,
    Examples,
    Wish,
    amount_of,
    choose_size,
    fixed_seconds,
    plan,
    share_out,
    sizes_of,
)
from gptwright.recipes.read import Recipe, read_recipe, write_recipe

MINUTES = (2, 5, 20, 60)
# Two machines: seconds of a step of each kind.
LAPTOP = Speeds(pretrain_step=0.12, sft_step=0.1, reward_step=0.15, ppo_update=4.0, answer=0.004, window=0.003)
SERVER = Speeds(pretrain_step=0.03, sft_step=0.025, reward_step=0.04, ppo_update=1.0, answer=0.001, window=0.001)


MUCH = Examples(megacharacters=60.0, conversations=10**7, rankings=10**7)
BUNDLED = Examples(megacharacters=7.2, conversations=4700, rankings=900)


def planned(
    minutes: float, speeds: Speeds = LAPTOP, size: str = "nano", spent: float = 8.0, examples: Examples = BUNDLED
) -> Recipe:
    wish = Wish(minutes=minutes, data=("bundled:plays",), seed=7, model="", examples=examples, spent=spent,
                max_characters=10**8, threads=2, dtype="float32")  # fmt: skip
    return plan(wish, SIZES[size], speeds, Shape())


def sizes(recipe: Recipe) -> dict[str, int]:
    """What the dial decides: how much of each kind of work."""
    tables = {step.name: step.table for step in recipe.steps}
    steps = {name: tables[name]["steps"] for name in ("pretrain", "sft", "reward", "reward-control")}
    return steps | {"rank": tables["rank"]["train_prompts"], "ppo": tables["ppo"]["updates"]}


def test_shares_are_a_whole() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("speeds", [LAPTOP, SERVER])
def test_the_seconds_add_up_to_the_minutes(minutes: float, speeds: Speeds) -> None:
    seconds = planned(minutes, speeds, examples=MUCH).plan["seconds"]
    assert sum(seconds.values()) == pytest.approx(60 * minutes, rel=0.02)
    assert min(seconds.values()) > 0


@pytest.mark.parametrize("minutes", MINUTES[1:])  # in less time there are 4 updates all the same
def test_the_steps_take_the_seconds_meant_for_them(minutes: float) -> None:
    recipe = planned(minutes)
    seconds, work, fixed = recipe.plan["seconds"], sizes(recipe), fixed_seconds(LAPTOP, 7.2)
    assert seconds["start"] == 8.0
    for name, each in (("pretrain", LAPTOP.pretrain_step), ("sft", LAPTOP.sft_step), ("ppo", LAPTOP.ppo_update)):
        assert fixed[name] + work[name] * each <= seconds[name] + 0.1
        assert fixed[name] + (work[name] + 1) * each >= seconds[name] - 0.1


@pytest.mark.parametrize("speeds", [LAPTOP, SERVER])
def test_more_minutes_never_mean_less_work(speeds: Speeds) -> None:
    """And more of it, until it is of no use."""
    recipes = [planned(minutes, speeds) for minutes in MINUTES]
    for less, more in pairwise(recipes):
        most = less.plan["most"] | {"rank": less.plan["most"]["rank"] * 4 // 5}
        assert all(sizes(more)[name] > done or done == most[name] for name, done in sizes(less).items())


@pytest.mark.parametrize("minutes", [*MINUTES, 240])
def test_nothing_is_learned_more_often_than_is_of_use(minutes: float) -> None:
    recipe, shape = planned(minutes, SERVER), Shape()
    amounts = {step.name: amount_of(step.table) for step in recipe.steps if step.name in LEAST}
    assert all(amounts[name] <= most for name, most in recipe.plan["most"].items())
    assert amounts["sft"] * shape.conversations <= PASSES["sft"] * 4700 + shape.conversations
    assert amounts["ppo"] <= MOST_UPDATES
    seconds = sum(recipe.plan["seconds"].values())
    assert seconds <= 60 * minutes * 1.001
    if seconds < 60 * minutes * 0.99:  # then all have their most
        assert amounts == recipe.plan["most"]


def test_what_one_cannot_use_goes_to_pretraining_and_the_others() -> None:
    much, little = (
        sizes(planned(10, examples=replace(MUCH, conversations=conversations))) for conversations in (10**7, 1000)
    )
    assert little["sft"] == PASSES["sft"] * 1000 / Shape().conversations < much["sft"]
    assert all(little[name] >= much[name] for name in much if name != "sft") and little["pretrain"] > much["pretrain"]


def test_little_text_is_no_reason_for_less_than_the_least() -> None:
    few = Examples(megacharacters=0.001, conversations=1, rankings=1).most(Shape())
    assert all(few[name] >= LEAST[name] for name in LEAST)


def test_a_faster_machine_does_more() -> None:
    laptop, server = sizes(planned(5, LAPTOP)), sizes(planned(5, SERVER))
    assert all(server[name] >= laptop[name] for name in laptop) and server["pretrain"] > laptop["pretrain"]


@pytest.mark.parametrize("minutes", [1, *MINUTES, 240])
@pytest.mark.parametrize("size", SIZES)
def test_the_recipe_can_be_carried_out(minutes: float, size: str, tmp_path: Path) -> None:
    recipe = planned(minutes, size=size)
    found = {step.name: config for step, config in recipe.configs(tmp_path)}
    assert list(found) == ["prepare", "tokenize", "pretrain", "sft", "rank", "reward", "reward-control", "ppo"]
    assert found["pretrain"].model == SIZES[size]
    assert found["tokenize"].vocab == SIZES[size].vocab
    assert found["reward-control"].shuffled and not found["reward"].shuffled
    assert {config.seed for name, config in found.items() if name != "tokenize"} == {7}
    assert found["ppo"].policy == tmp_path / "04-sft"


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    recipe = planned(5)
    write_recipe(recipe, tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == recipe


def test_what_planning_took_is_not_there_for_the_work() -> None:
    quick, slow = (planned(5, spent=spent, examples=MUCH) for spent in (5.0, 65.0))
    assert sum(slow.plan["seconds"].values()) == pytest.approx(sum(quick.plan["seconds"].values()), abs=0.5)
    assert slow.plan["seconds"]["start"] == 65.0
    assert all(sizes(slow)[name] < sizes(quick)[name] for name in sizes(quick))


def test_too_few_minutes_give_the_least_of_everything_and_the_true_seconds() -> None:
    snail = Speeds(pretrain_step=60, sft_step=60, reward_step=60, ppo_update=600, answer=1, window=1)
    recipe = planned(1, snail)
    assert {step.name: amount_of(step.table) for step in recipe.steps if step.name in LEAST} == LEAST
    least = 60 * 4 * 4 + 600 * 4 + 80 * 4
    assert sum(recipe.plan["seconds"].values()) == pytest.approx(
        8 + sum(fixed_seconds(snail, 7.2).values()) + least, abs=0.5
    )


def test_the_least_of_one_is_paid_for_by_the_others() -> None:
    each = dict.fromkeys(SHARES, 0.1) | {"ppo": 10.0}
    given = share_out(100.0, each, dict.fromkeys(SHARES, 10**9))
    assert given["ppo"] == 40.0  # four updates, though its share is 29 seconds
    assert given["rank"] == 8.0  # eighty prompts, though its share of the rest would be less
    assert sum(given.values()) == pytest.approx(100.0)
    assert given["sft"] / given["pretrain"] == pytest.approx(SHARES["sft"] / SHARES["pretrain"])


@pytest.mark.parametrize("name", LEAST)
def test_an_amount_is_found_again_in_the_sizes(name: str) -> None:
    assert (
        amount_of(sizes_of(name, 500, 1.0) | ({"prompts": "a path", "heldout_prompts": 9} if name == "ppo" else {}))
        == 500
    )


def test_first_words_are_seen_soon_however_long_it_learns() -> None:
    looks = [sizes_of("pretrain", steps, 0.1) for steps in (80, 800, 8000, 80_000)]
    assert [(look["eval_every"], look["first_eval"]) for look in looks] == [
        (10, 0), (100, 0), (1000, 120), (10_000, 120),
    ]  # fmt: skip


def test_sizes_grow() -> None:
    counts = [count(build(model)) for model in SIZES.values()]
    assert counts == sorted(counts) and len(set(counts)) == len(counts)
    assert all(model.width % model.heads == 0 for model in SIZES.values())


def test_more_minutes_and_faster_machines_get_larger_models() -> None:
    names = list(SIZES)
    slow = {name: 0.05 * 3**i for i, name in enumerate(names)}
    fast = {name: seconds / 50 for name, seconds in slow.items()}
    ladder = [names.index(choose_size(minutes, slow, Shape(), MUCH)) for minutes in (0.1, 5, 60, 10_000)]
    assert ladder == sorted(ladder)
    assert ladder[0] == 0 and ladder[-1] == len(names) - 1
    assert names.index(choose_size(5, fast, Shape(), MUCH)) >= names.index(choose_size(5, slow, Shape(), MUCH))


def test_no_model_is_larger_than_its_text_can_teach() -> None:
    steps = {name: 0.001 * 2**i for i, name in enumerate(SIZES)}
    chosen = {mega: choose_size(240, steps, Shape(), replace(MUCH, megacharacters=mega)) for mega in (0.5, 7.2, 5000)}
    assert list(SIZES).index(chosen[0.5]) < list(SIZES).index(chosen[7.2]) < list(SIZES).index(chosen[5000])
