import pytest

from gptwright.reporting.verdict import Verdict, graded, limited, tally


@pytest.mark.parametrize(("value", "level"), [(0.8, "healthy"), (0.79, "watch"), (0.5, "watch"), (0.49, "ill")])
def test_high_is_good(value: float, level: str) -> None:
    assert graded(value, healthy=0.8, watch=0.5) == level


@pytest.mark.parametrize(("value", "level"), [(0.1, "healthy"), (0.11, "watch"), (0.25, "watch"), (0.26, "ill")])
def test_low_is_good(value: float, level: str) -> None:
    assert limited(value, healthy=0.1, watch=0.25) == level


def test_the_tally_counts_the_gravest_first() -> None:
    verdicts = [Verdict("healthy", "", ""), Verdict("ill", "", ""), Verdict("healthy", "", "")]
    assert tally(verdicts) == "1 ill, 2 healthy" and tally([]) == "nothing to judge yet"
