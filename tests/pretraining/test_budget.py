"""One dial. Pure functions, so machines are made up."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from gptwright.models.catalogue import FAMILIES, build, check_sizes, count, preset
from gptwright.pretraining.budget import (
    Plan,
    Text,
    flops_a_token,
    for_flops,
    for_seconds,
    for_tokens,
    ladder,
    multiplied,
)

DECODERS = ("gpt1-nano" if "gpt1-nano" in FAMILIES["gpt1"].presets else "gpt2-nano", "gpt2-nano", "gpt3-nano",
            "llama-nano", "modern-nano")  # fmt: skip
TEXT = Text(length=128, unique=10_000_000)


def machine(flops: float) -> Callable[[Any, int], float]:
    """Does so many operations a second, after a hundredth of a second for each step."""
    return lambda model, rows: 0.01 + rows * TEXT.length * flops_a_token(model, TEXT.length) / flops


@pytest.mark.parametrize("name", DECODERS)
def test_every_step_of_the_ladder_is_a_model(name: str) -> None:
    sizes = list(ladder(preset(name)))
    for size in sizes:
        check_sizes(size)
        assert type(size) is type(preset(name)) and size.width // size.heads == preset(name).width // preset(name).heads
    counts = [multiplied(size) for size in sizes]
    assert counts == sorted(counts) and len(counts) > 8


def test_what_multiplies_is_all_but_embeddings_that_are_only_looked_up() -> None:
    for name in ("gpt2-nano", "llama-nano", "modern-nano"):
        model = build(preset(name))
        looked_up = model.embed.weight.numel() if name == "modern-nano" else 0
        positions = model.positions.weight.numel() if name == "gpt2-nano" else 0
        norm = sum(p.numel() for p in model.norm.parameters())
        assert multiplied(preset(name)) == count(model) - looked_up - positions - norm


@pytest.mark.parametrize("name", DECODERS)
def test_more_of_anything_means_larger_models_and_more_tokens(name: str) -> None:
    ways: list[Callable[[float], Plan]] = [
        lambda x: for_flops(1e13 * x, preset(name), TEXT),
        lambda x: for_tokens(1e6 * x, preset(name), TEXT),
        lambda x: for_seconds(60 * x, preset(name), TEXT, machine(1e11)),
    ]
    for way in ways:
        plans = [way(10**n) for n in range(4)]
        for less, more in pairwise(plans):
            assert more.model.width >= less.model.width
            assert more.steps * more.batch_size > less.steps * less.batch_size
            assert more.learning_rate <= less.learning_rate
        assert plans[-1].model.width > plans[0].model.width


def test_the_arithmetic_is_spent() -> None:
    for flops in (1e13, 1e15, 1e17):
        plan = for_flops(flops, preset("llama-nano"), TEXT)
        spent = plan.steps * plan.batch_size * TEXT.length * flops_a_token(plan.model, TEXT.length)
        assert spent == pytest.approx(flops, rel=0.06) and spent <= flops


def test_the_tokens_are_read() -> None:
    plan = for_tokens(5_000_000, preset("llama-nano"), TEXT)
    assert plan.steps * plan.batch_size * TEXT.length == pytest.approx(5_000_000, rel=0.01)


@pytest.mark.parametrize("flops", [1e10, 1e11, 1e13])
@pytest.mark.parametrize("seconds", [60, 600, 36_000])
def test_the_time_is_used(flops: float, seconds: float) -> None:
    measure = machine(flops)
    plan = for_seconds(seconds, preset("gpt2-nano"), TEXT, measure)
    assert plan.steps * measure(plan.model, plan.batch_size) <= seconds or plan.steps == 20
    assert (plan.steps + 1) * measure(plan.model, plan.batch_size) > seconds


def test_little_text_is_not_read_for_ever_by_a_large_model() -> None:
    little, much = (for_flops(1e16, preset("llama-nano"), Text(128, unique)) for unique in (10**5, 10**9))
    assert little.model.width >= much.model.width, "where text is short, arithmetic goes into size"
    assert little.steps <= much.steps * 2
