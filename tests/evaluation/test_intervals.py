from math import sqrt

import numpy as np
import pytest

from gptwright.evaluation.intervals import Estimate, mean, ratio, share, share_by_group, student


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        # Newcombe (1998), table I, method 3: the Wilson interval without continuity correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_shares_have_wilsons_interval(hits: int, count: int, low: float, high: float) -> None:
    found = share(hits, count)
    assert (found.value, found.count) == (hits / count, count)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_nothing_measured_says_nothing() -> None:
    found = share(0, 0)
    assert (found.low, found.high, found.count) == (0.0, 1.0, 0)


def test_half_wins_count() -> None:
    assert share(1.5, 3).value == 0.5


def test_a_mean_by_hand() -> None:
    found = mean([1.0, 2.0, 3.0, 6.0])
    spread = sqrt((4 + 1 + 0 + 9) / 3)
    assert found.value == 3.0
    assert found.high - 3.0 == pytest.approx(3.182 * spread / 2, rel=0.01), "Student's t of 3 degrees of freedom"
    assert 3.0 - found.low == pytest.approx(found.high - 3.0)
    assert mean([5.0]).low == 5.0


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(3, 3.1824), (5, 2.5706), (10, 2.2281), (31, 2.0395), (1000, 1.9623)]
)
def test_students_quantiles_as_tables_have_them(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.01)


def drawn(dice: np.random.Generator, groups: int, p: float, likeness: float) -> list[tuple[int, float, int]]:
    """Groups of 3, 5 or 6 things of which a part `likeness` is owed to the group (beta-binomial)."""
    strength = (1 - likeness) / likeness
    counts = dice.choice([3, 5, 6], groups)
    hits = dice.binomial(counts, dice.beta(p * strength, (1 - p) * strength, groups))
    return [(n, float(h), int(c)) for n, (h, c) in enumerate(zip(hits, counts, strict=True))]


@pytest.mark.parametrize("groups", [8, 30, 150])
@pytest.mark.parametrize("p", [0.5, 0.83, 0.95])
def test_the_interval_over_groups_holds_the_truth_in_95_of_100_and_one_over_things_does_not(
    groups: int, p: float
) -> None:
    dice = np.random.default_rng(groups)
    worlds = [drawn(dice, groups, p, likeness=0.3) for _ in range(600)]

    def covered(found: list[Estimate]) -> float:
        return sum(e.low <= p <= e.high for e in found) / len(found)

    assert 0.92 <= covered([share_by_group(world) for world in worlds]) <= 0.985
    naive = [share(sum(h for _, h, _ in world), sum(c for *_, c in world)) for world in worlds]
    assert covered(naive) < 0.91


def test_it_is_as_wide_as_the_bootstrap_over_groups() -> None:
    dice = np.random.default_rng(1)
    world = drawn(dice, 400, 0.8, likeness=0.4)
    hits, counts = np.array([h for _, h, _ in world]), np.array([c for *_, c in world])
    again = dice.multinomial(400, [1 / 400] * 400, size=4000)
    low, high = np.quantile((again @ hits) / (again @ counts), [0.025, 0.975])
    found = share_by_group(world)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.003)
    assert found.count == counts.sum() and found.value == hits.sum() / counts.sum()


def test_groups_of_one_are_wilsons_own_and_copies_say_nothing_new() -> None:
    singles = [(n, float(n % 3 > 0), 1) for n in range(60)]
    assert share_by_group(singles) == share(40, 60)
    copies = share_by_group(singles * 5)
    assert copies.count == 300 and copies.value == pytest.approx(40 / 60)
    assert copies.high - copies.low >= share(40, 60).high - share(40, 60).low


def test_all_right_all_even_and_a_single_group() -> None:
    assert share_by_group([]) == share(0, 0)
    sure = share_by_group([(n, 4.0, 4) for n in range(20)])
    assert (sure.value, sure.high) == (1.0, 1.0) and sure.low < share(20, 20).low
    even = share_by_group([(n, 2.0, 4) for n in range(20)])
    assert even.value == 0.5 and even.low < 0.5 < even.high
    alone = share_by_group([("a", 30.0, 30)])
    assert alone.low < 0.25 and alone.count == 30


def test_a_ratio_is_as_wide_as_the_bootstrap_over_its_pairs() -> None:
    dice = np.random.default_rng(2)
    weights = dice.integers(5, 60, 400).astype(float)
    values = weights * dice.normal(2.0, 0.5, 400)
    again = dice.multinomial(400, [1 / 400] * 400, size=4000)
    low, high = np.quantile((again @ values) / (again @ weights), [0.025, 0.975])
    found = ratio(values.tolist(), weights.tolist())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.005)
    assert (found.value, found.count) == (pytest.approx(values.sum() / weights.sum()), 400)
    assert ratio([3.0], [2.0]).value == 1.5


@pytest.mark.parametrize("count", [1, 3, 7, 300, 301, 12345])
def test_none_and_all_end_at_0_and_1_to_the_last_bit(count: int) -> None:
    assert share(0, count).low == 0.0 and share(count, count).high == 1.0
