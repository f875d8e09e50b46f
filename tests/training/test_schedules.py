import pytest

from gptwright.training.schedules import Schedule, cosine, linear, trapezoid

SCHEDULES = [cosine(1.0, 100, 10), trapezoid(1.0, 100, 10), linear(1.0, 100, 10), linear(1.0, 100)]


@pytest.mark.parametrize("rate", SCHEDULES)
def test_every_step_learns_and_none_above_the_peak(rate: Schedule) -> None:
    assert all(0 < rate(step) <= 1 for step in range(100))


def test_cosine_at_its_borders() -> None:
    rate = cosine(2.0, 110, 10, floor=0.1)
    assert [rate(0), rate(4), rate(9), rate(10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert rate(60) == pytest.approx(2 * 0.55)
    assert rate(110) == rate(500) == pytest.approx(0.2)
    assert cosine(2.0, 10, 0)(0) == 2.0


def test_trapezoid_at_its_borders() -> None:
    rate = trapezoid(2.0, 100, 10, cooldown=0.4)
    assert [rate(0), rate(4), rate(9), rate(10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert [rate(60), rate(61), rate(80), rate(99), rate(100)] == pytest.approx([2.0, 1.95, 1.0, 0.05, 0.0])
    assert trapezoid(2.0, 1, 0)(0) == 2.0


def test_linear_at_its_borders() -> None:
    rate = linear(2.0, 100)
    assert [rate(0), rate(50), rate(99), rate(100)] == pytest.approx([2.0, 1.0, 0.02, 0.0])
    assert linear(2.0, 100, warmup=4)(0) == pytest.approx(0.5)
