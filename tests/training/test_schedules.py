import pytest

from gptwright.training.schedules import SCHEDULES, Schedule, cosine, inverse_root, linear, wsd

BY_HAND = [
    cosine(1.0, 100, 10),
    wsd(1.0, 100, 10),
    linear(1.0, 100, 10),
    linear(1.0, 100),
    inverse_root(1.0, 100, 10),
]


@pytest.mark.parametrize("rate", BY_HAND)
def test_every_step_learns_and_none_above_the_peak(rate: Schedule) -> None:
    assert all(0 < rate(step) <= 1 for step in range(100))


def test_cosine_at_its_borders() -> None:
    rate = cosine(2.0, 110, 10, floor=0.1)
    assert [rate(0), rate(4), rate(9), rate(10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert rate(60) == pytest.approx(2 * 0.55)
    assert rate(110) == rate(500) == pytest.approx(0.2)
    assert cosine(2.0, 10, 0)(0) == 2.0


def test_gpt_1s_cosine_ends_at_zero() -> None:
    rate = SCHEDULES["cosine-to-zero"](2.0, 100, 10)
    assert [rate(9), rate(55), rate(100)] == pytest.approx([2.0, 1.0, 0.0])


def test_half_a_step_lies_between_its_neighbours() -> None:
    for rate in BY_HAND:
        assert min(rate(40), rate(41)) <= rate(40.5) <= max(rate(40), rate(41))


def test_trapezoid_at_its_borders() -> None:
    rate = wsd(2.0, 100, 10, cooldown=0.4)
    assert [rate(0), rate(4), rate(9), rate(10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert [rate(60), rate(61), rate(80), rate(99), rate(100)] == pytest.approx([2.0, 1.95, 1.0, 0.05, 0.0])
    assert wsd(2.0, 1, 0)(0) == 2.0


def test_linear_at_its_borders() -> None:
    rate = linear(2.0, 100)
    assert [rate(0), rate(50), rate(99), rate(100)] == pytest.approx([2.0, 1.0, 0.02, 0.0])
    assert linear(2.0, 100, warmup=4)(0) == pytest.approx(0.5)


def test_inverse_root_is_equation_3() -> None:
    # d^-0.5 · min(n^-0.5, n · w^-1.5) for d = 512, w = 4000 and n = 1, 2000, 4000, 16000 and 100000.
    rate = inverse_root((512 * 4000) ** -0.5, 100_000, 4000)
    numbers = [1.746928e-7, 3.493856e-4, 6.987712e-4, 3.493856e-4, 1.397542e-4]
    assert [rate(n - 1) for n in (1, 2000, 4000, 16_000, 100_000)] == pytest.approx(numbers, rel=1e-6)
    assert inverse_root(2.0, 10, 0)(3) == 1.0
