"""Many attention matrices in little room: of each row the largest weights, in steps of 1/255."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import compress

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = 3_300_000
"""characters of all rows together, at most"""
BYTES, COMPRESSED = 3, 2
"""of a weight with its column; times that compression makes them smaller at most, base64 included"""
WEIGHTS = (255, 64, 32, 16, 8, 4, 2)
"""of a row that are kept at most: the first of these with which all rows have room, or else one"""


@dataclass(frozen=True)
class PackedRows:
    """Rows of all matrices, one matrix after another. Each stream is compressed (zlib) and written in base64."""

    counts: str
    """uint8: weights of each row"""
    columns: str
    """uint16, little-endian, of all rows one after another"""
    weights: str
    """uint8, in 255ths"""
    shown: float
    """what the kept weights add up to, in the mean of all rows"""


def pack_rows(matrices: Sequence[Float[Tensor, "_ T T"]], room: int = LARGEST) -> PackedRows:
    """The rows of matrices with up to 65,536 columns, whose weights are at most 1."""
    counts = torch.cat([(255 * layer).round().gt(0).sum(-1).flatten() for layer in matrices])
    for most in WEIGHTS:
        if BYTES * counts.clamp(max=most).sum() <= COMPRESSED * room:
            packed = _packed(matrices, most)
            if len(packed.counts) + len(packed.columns) + len(packed.weights) <= room:
                return packed
    return _packed(matrices, 1)


def _packed(matrices: Sequence[Float[Tensor, "_ T T"]], most: int) -> PackedRows:
    counts, columns, weights = list[bytes](), list[bytes](), list[bytes]()
    shown, rows = 0.0, 0
    for layer in matrices:
        best = layer.flatten(0, 1).topk(min(most, layer.shape[-1]))
        places, order = best.indices.sort(-1)
        steps = (255 * best.values.gather(-1, order)).round().to(torch.uint8).numpy()
        kept = steps > 0
        counts.append(kept.sum(-1).astype(np.uint8).tobytes())
        columns.append(places.numpy()[kept].astype("<u2").tobytes())
        weights.append(steps[kept].tobytes())
        shown, rows = shown + float(steps.sum(dtype=np.float64)) / 255, rows + len(steps)
    return PackedRows(*(b64encode(compress(b"".join(each))).decode() for each in (counts, columns, weights)),
                      shown=shown / rows)  # fmt: skip
