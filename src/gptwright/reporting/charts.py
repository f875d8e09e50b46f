"""Line charts as SVG text: axes with round ticks, a faint raw line under a smooth one, figures on hover.

Colours come from the page's style (`.tone-a` to `.tone-e`), so that light and dark are its business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any, Literal

from markupsafe import Markup

from gptwright.training.evaluation import Estimate

Points = Sequence[tuple[float, float]]
Tone = Literal["a", "b", "c", "d", "e"]
WIDTH, HEIGHT = 400.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 12.0, 10.0, 26.0
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MOST_RAW, MOST_SMOOTH, MOST_PROBES = 300, 160, 40
EDGE = 4.0  # room around the plot for dots at its rim


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line. "noisy" is drawn smooth over its faint raw self, "sparse" with a dot for each point.

    `band` has (step, low, high) of an interval around it.
    """

    name: str
    points: Points
    tone: Tone = "a"
    kind: Literal["noisy", "sparse"] = "noisy"
    band: Sequence[tuple[float, float, float]] = ()
    dashed: bool = False

    def line(self) -> Points:
        """What is drawn boldly and read out on hover."""
        return thinned(smooth(self.points), MOST_SMOOTH) if self.kind == "noisy" else self.points

    def last(self) -> float | None:
        """The value that the line ends at."""
        line = self.line()
        return line[-1][1] if line else None


def smooth(points: Points) -> Points:
    """The mean over a window of a fifteenth of the points, cut off at the ends."""
    reach = len(points) // 30
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    result: list[tuple[float, float]] = []
    for i, (step, _) in enumerate(points):
        low, high = max(0, i - reach), min(len(points), i + reach + 1)
        result.append((step, (sums[high] - sums[low]) / (high - low)))
    return result


def thinned(points: Points, most: int) -> Points:
    """At most about `most` of the points, evenly, the last one always."""
    if len(points) <= most:
        return points
    stride = ceil(len(points) / most)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from `low` to `high`, 1, 2 or 5 times a power of ten apart, with `about` so many gaps."""
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    gap = min((f * power for f in (1, 2, 5, 10)), key=lambda gap: abs(log10(gap / rough)))
    return [n * gap for n in range(ceil(low / gap - 1e-9), floor(high / gap + 1e-9) + 1)]


@dataclass(frozen=True)
class _Scale:
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    logarithmic: bool = False

    def x(self, step: float) -> float:
        at, low, high = (log10(x) if self.logarithmic else x for x in (step, self.x_low, self.x_high))
        return (at - low) / (high - low) * PLOT_WIDTH

    def steps(self) -> list[float]:
        """What may be written below: round numbers, or powers of ten."""
        if not self.logarithmic:
            return ticks(self.x_low, self.x_high, 5)
        return [10.0**power for power in range(ceil(log10(self.x_low)), floor(log10(self.x_high)) + 1)]

    def y(self, value: float) -> float:
        return (self.y_high - value) / (self.y_high - self.y_low) * PLOT_HEIGHT

    def path(self, points: Points) -> str:
        return " ".join(f"{self.x(step):.1f},{self.y(value):.1f}" for step, value in points)


def plain_chart(curves: Sequence[Curve]) -> dict[str, Any]:
    """The same as numbers, for a page that draws by itself: of curves of two points at least."""
    scale = _scale(curves)
    return {
        "xs": [scale.x_low, scale.x_high],
        "ys": [scale.y_low, scale.y_high],
        "ticks": ticks(scale.y_low, scale.y_high, 5),
        "curves": [
            {
                "name": curve.name,
                "tone": curve.tone,
                "line": _rounded(curve.line()),
                "raw": _rounded(thinned(curve.points, MOST_RAW)) if curve.kind == "noisy" else [],
                "dots": curve.kind == "sparse",
            }
            for curve in curves
        ],
    }


def _rounded(points: Points) -> list[list[float]]:
    return [[step, float(f"{value:.5g}")] for step, value in points]


def line_chart(
    title: str, curves: Sequence[Curve], *, x_name: str = "step", digits: int = 2, logarithmic: bool = False
) -> Markup:
    """The chart, or nothing when there is no curve of two points. `title` is read out by screen readers. Steps that are
    sizes, 1 or more, are best set out by their logarithm."""
    drawn = [curve for curve in curves if len(curve.points) > 1]
    if not drawn:
        return Markup("")
    scale = _scale(drawn, logarithmic)
    bands = [_band(curve, scale) for curve in drawn if curve.band]
    inner = Markup("").join(bands + [_curve(curve, scale) for curve in drawn] + _probes(drawn, scale, x_name, digits))
    return Markup(
        '<svg class="chart" viewBox="0 0 {w:g} {h:g}" role="img" aria-label="{title}">{axes}'
        '<svg x="{left:g}" y="{top:g}" width="{pw:g}" height="{ph:g}" viewBox="{edge:g} {edge:g} {pw:g} {ph:g}">'
        "{inner}</svg></svg>"
    ).format(w=WIDTH, h=HEIGHT, title=title, axes=_axes(scale, x_name), left=LEFT - EDGE, top=TOP - EDGE,
             pw=PLOT_WIDTH + 2 * EDGE, ph=PLOT_HEIGHT + 2 * EDGE, edge=-EDGE, inner=inner)  # fmt: skip


def _scale(curves: Sequence[Curve], logarithmic: bool = False) -> _Scale:
    """Steps from the first to the last; values without each curve's steep start, which would flatten all the rest."""
    steps = [step for curve in curves for step, _ in curve.points]
    values = [value for curve in curves for value in _typical(curve)]
    low, high = min(values), max(values)
    flat = high - low <= 1e-9 * max(abs(low), abs(high))  # what differs by roundings alone has no round numbers between
    margin = max(abs(high) * 0.1, 0.1) if flat else 0.08 * (high - low)
    return _Scale(min(steps), max(max(steps), min(steps) + 1), low - margin, high + margin, logarithmic)


def _typical(curve: Curve) -> list[float]:
    """The values that must be in sight: all dots, but of a noisy curve only the middle nine tenths, and its line."""
    if curve.kind == "sparse":
        return [*(value for _, value in curve.points), *(value for _, *ends in curve.band for value in ends)]
    first, last = curve.points[0][0], curve.points[-1][0]
    begin = first + 0.04 * (last - first)
    line = [value for step, value in curve.line() if step >= begin]
    raw = sorted(value for step, value in curve.points if step >= begin)
    return [*line, *raw[len(raw) // 20 : len(raw) - len(raw) // 20]]


def _axes(scale: _Scale, x_name: str) -> Markup:
    parts: list[Markup] = []
    values = ticks(scale.y_low, scale.y_high, 5)
    digits = max(0, -floor(log10(values[1] - values[0]) + 1e-9)) if len(values) > 1 else 2
    for value in values:
        y = TOP + scale.y(value)
        parts.append(Markup('<line class="grid" x1="{:g}" x2="{:g}" y1="{:.1f}" y2="{:.1f}"/>').format(
            LEFT, WIDTH - RIGHT, y, y))  # fmt: skip
        parts.append(_label(LEFT - 6, y + 3.5, f"{value:.{digits}f}".replace("-", "−"), "end"))
    for step in scale.steps():
        whole = abs(step - round(step)) < 1e-9  # half a step is none
        if whole and 0.02 * PLOT_WIDTH < scale.x(step) < 0.8 * PLOT_WIDTH:
            parts.append(_label(LEFT + scale.x(step), HEIGHT - 8, _step(step), "middle"))
    parts.append(_label(WIDTH - RIGHT, HEIGHT - 8, f"{x_name} {_step(scale.x_high)}", "end"))
    return Markup("").join(parts)


def _label(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _step(step: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M")):
        if step >= unit:
            return f"{step / unit:.3g}{name}"
    return f"{step / 1000:g}k" if step >= 10_000 else f"{step:,.0f}"


def _band(curve: Curve, scale: _Scale) -> Markup:
    """From left to right along the upper ends, and back along the lower ones."""
    outline = [(step, high) for step, _, high in curve.band] + [(step, low) for step, low, _ in reversed(curve.band)]
    return Markup('<polygon class="band tone-{}" points="{}"/>').format(curve.tone, scale.path(outline))


def _curve(curve: Curve, scale: _Scale) -> Markup:
    kind = "line dashed" if curve.dashed else "line"
    line = Markup('<polyline class="{} tone-{}" points="{}"/>').format(kind, curve.tone, scale.path(curve.line()))
    if curve.kind == "noisy":
        raw = scale.path(thinned(curve.points, MOST_RAW))
        return Markup('<polyline class="raw tone-{}" points="{}"/>').format(curve.tone, raw) + line
    dots = [
        Markup('<circle class="dot tone-{}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(
            curve.tone, scale.x(s), scale.y(v)
        )
        for s, v in curve.points
    ]
    return line + Markup("").join(dots)


def _probes(curves: Sequence[Curve], scale: _Scale, x_name: str, digits: int) -> list[Markup]:
    """Upright strips that show, under the pointer, every curve's value there."""
    longest = max((curve.line() for curve in curves), key=len)
    steps = [step for step, _ in thinned(longest, MOST_PROBES)]
    width = PLOT_WIDTH / len(steps)
    reach = (scale.x_high - scale.x_low) / len(steps)
    strips: list[Markup] = []
    for step in steps:
        x = scale.x(step)
        near = [(curve.name, *min(curve.line(), key=lambda p: abs(p[0] - step))) for curve in curves]
        metrics = ", ".join(f"{name} {value:.{digits}f}" for name, at, value in near if abs(at - step) <= reach)
        strips.append(
            Markup(
                '<g class="probe"><title>{} {:,.0f}: {}</title><rect x="{:.1f}" y="0" width="{:.1f}" height="{:g}"/>'
                '<line x1="{:.1f}" x2="{:.1f}" y1="0" y2="{:g}"/></g>'
            ).format(x_name, step, metrics.replace("-", "−"), x - width / 2, width, PLOT_HEIGHT, x, x, PLOT_HEIGHT)
        )
    return strips


def interval_bar(estimate: Estimate) -> Markup:
    """A share and its 95 % interval on a track from 0 to 100 %."""
    low, high = 100 * max(estimate.low, 0), 100 * min(estimate.high, 1)
    label = f"95 % interval from {low:.1f} to {high:.1f} %"
    return Markup(
        '<svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<title>{label}</title><rect class="track" width="100" y="3" height="2"/>'
        '<rect class="span" x="{low:.2f}" width="{span:.2f}" y="2" height="4"/>'
        '<rect class="mark" x="{mark:.2f}" width="1.6" y="0" height="8"/></svg>'
    ).format(label=label, low=low, span=max(high - low, 0.8), mark=min(max(100 * estimate.value - 0.8, 0), 98.4))
