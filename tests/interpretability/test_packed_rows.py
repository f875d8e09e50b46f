"""Packed rows, unpacked as the page does it."""

from base64 import b64decode
from zlib import decompress

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.interpretability.packed_rows import PackedRows, pack_rows


def unpacked(packed: PackedRows, tokens: int) -> Float[Tensor, "N T T"]:
    streams = [decompress(b64decode(text)) for text in (packed.counts, packed.columns, packed.weights)]
    counts, columns, weights = (
        np.frombuffer(stream, kind) for stream, kind in zip(streams, ("u1", "<u2", "u1"), strict=True)
    )
    rows = torch.zeros(len(counts), tokens)
    end = 0
    for row, count in enumerate(counts):
        begin, end = end, end + int(count)
        rows[row, torch.tensor(columns[begin:end].astype(int))] = torch.tensor(weights[begin:end] / 255).float()
    return rows.view(-1, tokens, tokens)


def causal(heads: int, tokens: int) -> Float[Tensor, "H T T"]:
    return (torch.randn(heads, tokens, tokens) * 3 + torch.zeros(tokens, tokens).masked_fill(
        ~torch.ones(tokens, tokens).tril().bool(), -torch.inf)).softmax(-1)  # fmt: skip


def test_small_ones_are_whole_but_for_rounding() -> None:
    layers = [causal(3, 20), causal(2, 20), causal(1, 20)]
    packed = pack_rows(layers)
    assert (unpacked(packed, 20) - torch.cat(layers)).abs().max() <= 0.5 / 255 + 1e-6
    assert packed.shown == pytest.approx(1.0, abs=0.02)


def test_large_ones_keep_their_largest_weights_and_say_how_much_that_is() -> None:
    layers = [causal(2, 300)]
    packed = pack_rows(layers, room=12_000)
    size = len(packed.counts) + len(packed.columns) + len(packed.weights)
    rows = unpacked(packed, 300)
    assert size <= 12_000 and 0.3 < packed.shown < 0.99
    assert packed.shown == pytest.approx(float(rows.sum() / 600), abs=1e-4)
    kept = int((rows[0] > 0).sum(-1).max())
    assert (rows[0].gather(-1, layers[0][0].argmax(-1)[:, None]) > 0).all()
    assert ((rows[0] - layers[0][0]).abs()[rows[0] > 0] <= 0.5 / 255 + 1e-6).all() and kept < 300


def test_a_room_that_is_too_small_still_keeps_one_of_each_row() -> None:
    packed = pack_rows([causal(1, 100)], room=10)
    assert (unpacked(packed, 100)[0] > 0).sum(-1).max() == 1
