import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from gptwright.evaluation.intervals import Estimate
from gptwright.reporting.charts import Curve, interval_bar, line_chart, smooth, thinned, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (1.6, 2.7, [1.6, 1.8, 2.0, 2.2, 2.4, 2.6]), (-0.5, 1.4, [-0.5, 0, 0.5, 1.0])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 5) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_inside_and_are_few(low: float, width: float) -> None:
    found = ticks(low, low + width, 5)
    assert 2 <= len(found) <= 9
    assert low - 1e-6 * width <= found[0] and found[-1] <= low + width * (1 + 1e-6)


def test_smoothing_keeps_a_constant_and_halves_no_step() -> None:
    assert smooth([(n, 2.0) for n in range(100)]) == [(n, 2.0) for n in range(100)]
    assert smooth([(1, 1.0), (2, 3.0)]) == [(1, 1.0), (2, 3.0)]  # too few to smooth


def test_a_window_is_the_mean_of_its_points() -> None:
    """60 points: two on either side; at the ends only those there are."""
    line = smooth([(n, float(n)) for n in range(60)])
    assert line[0] == (0, 1.0) and line[30] == (30, 30.0) and line[59] == (59, 58.0)


def test_thinning_keeps_first_and_last() -> None:
    points = [(n, 0.0) for n in range(1001)]
    kept = thinned(points, 100)
    assert len(kept) <= 102 and kept[0] == points[0] and kept[-1] == points[-1]
    assert thinned(points[:5], 100) == points[:5]


def test_a_dot_stands_where_its_value_is() -> None:
    """Steps 0 and 10 at the sides; 1 and 2 with a margin of 8 % above and below."""
    chart = HTMLParser(line_chart("loss", [Curve(name="a", points=[(0, 1.0), (10, 2.0)], kind="sparse")]))
    low, high = chart.css("circle")
    assert (low.attributes["cx"], high.attributes["cx"]) == ("0.0", "348.0")
    assert float(low.attributes["cy"] or 0) == pytest.approx(184 * 1.08 / 1.16, abs=0.06)
    assert float(high.attributes["cy"] or 0) == pytest.approx(184 * 0.08 / 1.16, abs=0.06)


def test_hovering_reads_all_curves_and_names_are_escaped() -> None:
    curves = [
        Curve(name="<b>a</b>", points=[(1, 0.5), (2, -0.25)], kind="sparse"),
        Curve(name="b", points=[(1, 1.0), (2, 1.0)]),
    ]
    chart = str(line_chart('"loss" <i>', curves))
    assert [title.text() for title in HTMLParser(chart).css("title")] == [
        "step 1: <b>a</b> 0.50, b 1.00",
        "step 2: <b>a</b> −0.25, b 1.00",
    ]
    assert "<b>" not in chart and "<i>" not in chart


def test_a_steep_beginning_does_not_flatten_the_rest() -> None:
    points = [(n, 50.0 if n < 3 else 2.0 + (n % 2) / 10) for n in range(1, 201)]
    labels = [
        float(t.text().replace(",", ""))
        for t in HTMLParser(line_chart("loss", [Curve(name="a", points=points)])).css("text[text-anchor=end]")[:-1]
    ]
    assert max(labels) < 3


def test_a_short_curve_beside_a_long_one_is_in_sight() -> None:
    """All of it lies where the long one still falls steeply."""
    long = Curve(name="long", points=[(n, 1.0) for n in range(1, 1001)])
    chart = HTMLParser(line_chart("t", [long, Curve(name="short", points=[(n, 5.0) for n in range(1, 21)])]))
    heights = [
        float(point.split(",")[1]) for point in (chart.css("polyline.line")[1].attributes["points"] or "").split()
    ]
    assert all(0 <= height <= 184 for height in heights)


@pytest.mark.parametrize("points", [[], [(1, 2.0)]])
def test_less_than_two_points_are_no_chart(points: list[tuple[float, float]]) -> None:
    assert line_chart("loss", [Curve(name="a", points=points)]) == ""


@pytest.mark.parametrize("value", [0.0, -3.0, 1e9])
def test_a_curve_that_never_moves_is_drawn(value: float) -> None:
    assert "polyline" in line_chart("loss", [Curve(name="a", points=[(1, value), (2, value)])])


def test_a_curve_that_moves_by_a_rounding_is_drawn() -> None:
    points = [(1, 11.38111), (2, 11.381109999999998)]
    assert line_chart("loss", [Curve(name="a", points=points, kind="sparse")]).count("<circle") == 2


def test_the_interval_bar_stays_on_its_track() -> None:
    for estimate in (Estimate(0.0, 0.0, 0.0, 5), Estimate(1.0, 0.7, 1.0, 5), Estimate(0.5, 0.4, 0.6, 50)):
        for rect in HTMLParser(interval_bar(estimate)).css("rect.mark"):
            assert 0 <= float(rect.attributes["x"] or 0) <= 98.4
    assert 'x="40.00" width="20.00"' in interval_bar(Estimate(0.5, 0.4, 0.6, 50))
