"""The fit of what `scaling.py` measured: the numbers of pretraining/scaling_law.py, and their picture.

    python benchmarks/scaling_fit.py results.jsonl [--plot docs/scaling.svg]

Loss over size and tokens by least squares on ((N₀/N)^(α/β) + D₀/D)^β; the best rate as the lowest point of a parabola
through the losses at several rates, on a logarithmic axis.
"""

import argparse
import json
from collections import defaultdict
from itertools import product
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np

from gptwright.models.llama import LlamaConfig
from gptwright.pretraining.budget import flops_a_token, multiplied
from gptwright.pretraining.scaling_law import best_rate, loss

Line = dict[str, Any]
COLOURS = ("#1f77b4", "#d1495b", "#17a2a2", "#e0a100", "#7a5195", "#555555")


def config(line: Line) -> LlamaConfig:
    """The model of a point of the size study, without the vocabulary's share of its name."""
    width = line["width"]
    return LlamaConfig(vocab=2048, context=256, width=width, heads=width // 32, kv_heads=width // 32,
                       layers=line["layers"], hidden=-(-8 * width // 96) * 32, tied=True)  # fmt: skip


def truncated(lines: list[Line]) -> tuple[float, ...]:
    """ALPHA, BETA, N0, D0, and the root mean square of what they miss, in nats."""
    sizes = np.array([multiplied(config(line)) for line in lines], float)
    tokens = np.array([line["kilotokens"] * 1024 for line in lines], float)
    nats = np.array([line["nats"] for line in lines])
    best = (np.inf, (0.0,))
    for beta, ratio in product(np.arange(0.06, 0.4, 0.005), np.arange(0.4, 2.0, 0.05)):
        terms = np.stack([sizes**-ratio, 1 / tokens], 1)
        wanted = nats ** (1 / beta)
        scale = terms.max(0)
        a, d0 = np.linalg.lstsq(terms / scale / wanted[:, None], np.ones(len(lines)), rcond=None)[0] / scale
        if min(a, d0) <= 0:
            continue
        missed = float(np.sqrt(np.mean(((terms @ [a, d0]) ** beta - nats) ** 2)))
        if missed < best[0]:
            best = (missed, (ratio * beta, beta, a ** (1 / ratio), d0))
    return (*best[1], best[0])


def lowest(points: list[tuple[float, float]]) -> float | None:
    """The rate at the bottom of the parabola through the three lowest neighbours; None where it is at the rim."""
    at = min(range(len(points)), key=lambda i: points[i][1])
    if not 0 < at < len(points) - 1:
        return None
    x, y = zip(*[(log(rate), nats) for rate, nats in points[at - 1 : at + 2]], strict=True)
    a, b, _ = np.polyfit(x, y, 2)
    return exp(-b / (2 * a))


def by_rate(lines: list[Line]) -> dict[tuple[str, int, int], list[tuple[float, float]]]:
    """(optimizer, width, rows) → rates and nats at 512 thousand tokens."""
    found: defaultdict[tuple[str, int, int], dict[float, float]] = defaultdict(dict)
    for line in lines:
        if line["kilotokens"] == 512 and line["family"] == "llama":
            found[line["optimizer"], line["width"], line["rows"]][line["rate"]] = line["nats"]
    return {which: sorted(nats.items()) for which, nats in found.items()}


def panel(curves: dict[str, list[tuple[float, float]]], x_name: str, dashed: str = "") -> str:
    """One pair of axes, the lower one logarithmic."""
    width, height = 330, 220
    xs = [log(x) for curve in curves.values() for x, _ in curve]
    ys = [y for curve in curves.values() for _, y in curve]
    left, right, low, high = min(xs), max(xs), min(ys) - 0.05, max(ys) + 0.05
    parts = [f'<text x="{width / 2}" y="{height + 34}" text-anchor="middle">{x_name}</text>']
    for tick in np.arange(np.ceil(low / 0.2) * 0.2, high, 0.2):
        y = height * (high - tick) / (high - low)
        parts.append(f'<line x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{tick:.1f}</text>')  # fmt: skip
    for x in (exp(left), exp((left + right) / 2), exp(right)):
        at = width * (log(x) - left) / (right - left)
        parts.append(f'<text x="{at:.1f}" y="{height + 16}" text-anchor="middle">{x:.1e}</text>')
    for index, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        at = [(width * (log(x) - left) / (right - left), height * (high - y) / (high - low)) for x, y in sorted(curve)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        dash = ' stroke-dasharray="5 4"' if name == dashed else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        if name != dashed:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
        parts.append(f'<text x="{width + 8}" y="{14 * index + 10}" fill="{colour}">{name}</text>')
    return "".join(parts)


def plot(sizes: list[Line], rates: dict[tuple[str, int, int], list[tuple[float, float]]]) -> str:
    """Loss over arithmetic for each size with the law's best, and loss over the rate."""
    by_size: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in sizes:
        compute = line["kilotokens"] * 1024 * flops_a_token(config(line), 256)
        by_size[f"{line['layers']} × {line['width']}"].append((compute, line["nats"]))
    spent = [x for curve in by_size.values() for x, _ in curve]
    shapes = {(line["layers"], line["width"]): config(line) for line in sizes}.values()
    best = [(c, min(loss(multiplied(m), c / flops_a_token(m, 256)) for m in shapes))
            for c in np.geomspace(min(spent), max(spent), 20)]  # fmt: skip
    shown = {f"{o} {w}, {r} rows": points for (o, w, r), points in rates.items() if len(points) > 2}
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1060 320" font-family="sans-serif" font-size="12">'
        '<rect width="100%" height="100%" fill="white"/>'
        f'<g transform="translate(50,40)"><text y="-16">held-out nats a token, 0.25 to 2 M tokens</text>'
        f"{panel({**by_size, 'the law': best}, 'FLOPs', 'the law')}</g>"
        f'<g transform="translate(560,40)"><text y="-16">the same after 0.5 M tokens</text>'
        f"{panel(shown, 'peak rate')}</g></svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    lines: list[Line] = [json.loads(line) for line in given.results.read_text().splitlines()]
    of_law = [line for line in lines if line["family"] == "llama" and line["optimizer"] == "muon" and line["rows"] == 8]
    sizes = [line for line in of_law if abs(line["rate"] / best_rate("muon", line["width"]) - 1) < 0.01]
    names = ("ALPHA", "BETA", "N0", "D0", "missed")
    print("  ".join(f"{name} {value:.5g}" for name, value in zip(names, truncated(sizes), strict=True)))
    for line in sizes:
        tokens = line["kilotokens"] * 1024
        law = loss(multiplied(config(line)), tokens)
        print(f"{line['layers']} × {line['width']:3}  {tokens:9,} tokens  {line['nats']:.3f} nats, "
              f"{line['bits_per_byte']:.3f} bits a byte; the law {law:.3f}")  # fmt: skip
    for (optim, width, rows), points in sorted(by_rate(lines).items()):
        found = ", ".join(f"{rate:.2g}: {nats:.3f}" for rate, nats in points)
        print(f"{optim} {width}, {rows} rows: {found}; lowest {lowest(points)}; the law {best_rate(optim, width):.2g}")
    if given.plot:
        given.plot.write_text(plot(sizes, by_rate(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
