"""The induction-head score of every head as a grid: a column a layer, a row a head, darker where it copies more."""

from dataclasses import dataclass

from jaxtyping import Float
from markupsafe import Markup
from torch import Tensor

CELL, MARGIN = 14, 16


@dataclass(frozen=True)
class HeadGrid:
    """A model's grid, and which of its heads scores highest, layers and heads counted from 0."""

    name: str
    grid: Markup
    best: str


def head_grid(name: str, scores: Float[Tensor, "L H"]) -> HeadGrid:
    """Full colour is a score of 1: all weight on the token that followed before."""
    layers, heads = scores.shape
    layer, head = divmod(int(scores.argmax()), heads)
    cells = [_cell(at, row, value) for at, line in enumerate(scores.tolist()) for row, value in enumerate(line)]
    rows = [_number(MARGIN - 4, MARGIN + CELL * (row + 0.7), row, "end") for row in _labelled(heads)]
    columns = [_number(MARGIN + CELL * (at + 0.5), MARGIN - 5, at, "middle") for at in _labelled(layers)]
    width, height = MARGIN + CELL * layers, MARGIN + CELL * heads
    grid = Markup(
        '<svg class="heads" viewBox="0 0 {} {}" width="{}" role="img" aria-label="induction scores of {}">{}</svg>'
    ).format(width, height, 1.5 * width, name, Markup("").join([*rows, *columns, *cells]))
    return HeadGrid(name, grid, f"head {head} of layer {layer}, {float(scores.max()):.2f}")


def _labelled(count: int) -> range:
    """Every one of a few; of many every fifth."""
    return range(0, count, 1 if count <= 12 else 5)


def _cell(layer: int, head: int, score: float) -> Markup:
    return Markup(
        '<rect x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.3f}">'
        "<title>layer {}, head {}: {:.2f}</title></rect>"
    ).format(MARGIN + CELL * layer, MARGIN + CELL * head, CELL - 1, CELL - 1, score, layer, head, score)


def _number(x: float, y: float, number: int, anchor: str) -> Markup:
    return Markup('<text x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(x, y, anchor, number)
