import pytest

from gptwright.reporting.checks.finding import Finding, at_least, at_most, tally


@pytest.mark.parametrize(("value", "level"), [(0.8, "healthy"), (0.79, "watch"), (0.5, "watch"), (0.49, "ill")])
def test_high_is_good(value: float, level: str) -> None:
    assert at_least(value, healthy=0.8, watch=0.5) == level


@pytest.mark.parametrize(("value", "level"), [(0.1, "healthy"), (0.11, "watch"), (0.25, "watch"), (0.26, "ill")])
def test_low_is_good(value: float, level: str) -> None:
    assert at_most(value, healthy=0.1, watch=0.25) == level


def test_the_tally_counts_the_gravest_first() -> None:
    findings = [Finding("healthy", "", ""), Finding("ill", "", ""), Finding("healthy", "", "")]
    assert tally(findings) == "1 ill, 2 healthy" and tally([]) == "nothing to judge yet"
