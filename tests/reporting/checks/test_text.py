from math import log

import pytest

from gptwright.reporting.checks.text import bits, epochs, gap, heldout_trend, skipped


def test_bits_a_byte_by_hand() -> None:
    """3 nats a token of 3 bytes are 1 nat a byte, which is 1 / ln 2 bits."""
    assert bits(3.0, 3.0) == pytest.approx(1.442695)
    assert bits(2 * log(2), 2.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("last", "level", "word"),
    [
        (1.900, "healthy", "still falling"),  # 5 % under the look before
        (1.991, "healthy", "levelled off"),  # 0.45 % under it
        (2.019, "healthy", "levelled off"),  # 0.95 % above the lowest
        (2.040, "watch", "rises"),  # 2 % above the lowest
        (2.120, "ill", "rises"),  # 6 % above the lowest
    ],
)
def test_where_held_out_loss_goes(last: float, level: str, word: str) -> None:
    finding = heldout_trend([(20, 3.0), (40, 2.5), (60, 2.2), (80, 2.0), (90, 2.0), (100, last)])
    assert finding and finding.level == level and word in finding.title


def test_two_looks_are_no_trend() -> None:
    assert heldout_trend([(1, 2.0), (2, 1.0)]) is None


def test_a_slow_rise_over_many_looks_is_seen() -> None:
    """Each look is only 0.4 % above the one before, but the last is 6 % above the lowest."""
    finding = heldout_trend([(n, 2.0 * 1.004 ** abs(n - 5)) for n in range(1, 21)])
    assert finding and finding.level == "ill"


@pytest.mark.parametrize(
    ("heldout", "level"), [(1.8, "healthy"), (2.19, "healthy"), (2.3, "watch"), (2.5, "watch"), (2.6, "ill")]
)
def test_the_gap_is_a_share_of_the_training_loss(heldout: float, level: str) -> None:
    finding = gap(2.0, heldout)
    assert finding and finding.level == level


@pytest.mark.parametrize(("times", "level"), [(0.2, "healthy"), (8.0, "healthy"), (8.1, "watch")])
def test_text_may_be_read_eight_times(times: float, level: str) -> None:
    finding = epochs(times)
    assert finding and finding.level == level


@pytest.mark.parametrize(("count", "level"), [(0, "healthy"), (10, "watch"), (11, "ill")])
def test_one_step_in_a_hundred_may_be_skipped(count: int, level: str) -> None:
    finding = skipped(count, 1000)
    assert finding and finding.level == level


def test_what_was_not_measured_is_not_judged() -> None:
    assert (gap(None, 2.0), gap(2.0, None), epochs(None), skipped(None, 10), skipped(0, None)) == (None,) * 5
