"""Source and target in one view: each layer fills its corner, and rollout reaches from the target to the source."""

from base64 import b64decode
from zlib import decompress

import numpy as np
import pytest
import torch

from gptwright.foundations.errors import InputError
from gptwright.interpretability import inside
from gptwright.interpretability.inside import View
from gptwright.interpretability.steps import finished
from gptwright.interpretability.translation import inside_translation
from gptwright.models.catalogue import build
from gptwright.models.transformer import Transformer, TransformerConfig

SOURCE, TARGET = [5, 6, 7, 8, 2], [2, 9, 10, 2]


@pytest.fixture
def network() -> Transformer:
    made = build(TransformerConfig(vocab=60, context=32, width=24, heads=4, layers=2, hidden=40), seed=1)
    return made.eval().requires_grad_(False)


def matrices(view: View) -> np.ndarray:
    """Every head's, and rollout."""
    counts, columns, weights = (
        np.frombuffer(decompress(b64decode(view["attention"][name])), kind)
        for name, kind in (("counts", "u1"), ("columns", "<u2"), ("weights", "u1"))
    )
    tokens = len(view["tokens"])
    found = np.zeros((len(counts), tokens))
    found[np.repeat(np.arange(len(counts)), counts), columns] = weights / 255
    return found.reshape(-1, tokens, tokens)


def test_each_layer_fills_its_corner_with_the_networks_weights(network: Transformer) -> None:
    view = finished(inside_translation(network, SOURCE, TARGET, str))
    assert view["tokens"] == SOURCE + TARGET and view["heads"] == [4] * 6
    assert view["parts"] == ["encoder", "encoder", "decoder", "source", "decoder", "source"]
    found, read = matrices(view), len(SOURCE)
    assert len(found) == 4 * 6 + 1
    trace = network.trace(torch.tensor([SOURCE]), torch.tensor([read]), torch.tensor([TARGET]))
    for layer in range(2):
        corners = [
            (4 * layer, slice(0, read), slice(0, read), trace.encoder.attention[layer]),
            (8 + 8 * layer, slice(read, None), slice(read, None), trace.decoder.attention[layer]),
            (12 + 8 * layer, slice(read, None), slice(0, read), trace.decoder.cross[layer]),
        ]
        for first, rows, columns, weights in corners:
            own = found[first : first + 4]
            np.testing.assert_allclose(own[:, rows, columns], weights[0], atol=1 / 255)
            assert own.sum() == pytest.approx(own[:, rows, columns].sum())
    mixed = found[-1]
    np.testing.assert_allclose(mixed.sum(-1), 1, atol=0.02)
    assert (mixed[:read, read:] == 0).all() and (mixed[read:, :read].sum(-1) > 0.3).all()


def test_nothing_is_expected_of_the_source(network: Transformer) -> None:
    view = finished(inside_translation(network, SOURCE, TARGET, str))
    for layer in (*view["lens"], view["said"]):
        assert layer["ids"][: len(SOURCE)] == [[]] * 5 and layer["entropy"][:5] == [None] * 5
        assert all(layer["ids"][5:]) and layer["actual"][-1] is None
    assert len(view["lens"]) == 3 and view["lens"][-1]["actual"] == view["said"]["actual"]


def test_too_much_for_a_page(network: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "MEMORY", 4 * 24 * 8 * 8)
    with pytest.raises(InputError, match="at most 8 tokens of source and target"):
        finished(inside_translation(network, SOURCE, TARGET, str))
