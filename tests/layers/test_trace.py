"""Attention as it is defined, kept: its output is that of the fast ways, and the unseen gets nothing."""

import pytest
import torch

from gptwright.layers.attend import attend
from gptwright.layers.masks import CAUSAL, FULL, Banded, Both, Documents, Mask, Padded, Strided
from gptwright.layers.trace import Trace

DOCUMENTS = Documents(torch.tensor([[0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 0, 0, 0, 1]]))
MASKS = [CAUSAL, FULL, Banded(3), Strided(2), Padded(torch.tensor([3, 7])), Both(CAUSAL, DOCUMENTS)]


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: type(mask).__name__)
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_the_output_is_attentions_and_the_weights_are_shares_of_what_is_seen(mask: Mask, groups: int) -> None:
    q = torch.randn(2, 6, 7, 8)
    k, v = torch.randn(2, groups, 7, 8), torch.randn(2, groups, 7, 8)
    trace = Trace(q.device)
    torch.testing.assert_close(trace.layer(0).attend(q, k, v, mask), attend(q, k, v, mask), atol=1e-5, rtol=1e-5)
    (weights,) = trace.attention
    assert weights.shape == (2, 6, 7, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6, 7))
    allowed = mask.allowed(torch.arange(7)[None], 7)[:, None].expand(2, 6, -1, -1)
    assert (weights[~allowed] == 0).all() and (weights[allowed] > 0).all()


def test_two_positions_by_hand() -> None:
    q, k = torch.tensor([[[[0.0], [2.0]]]]), torch.tensor([[[[1.0], [3.0]]]])
    trace = Trace(q.device)
    y = trace.attend(q, k, torch.tensor([[[[10.0], [20.0]]]]), CAUSAL)
    share = 1 / (1 + torch.tensor(4.0).exp())  # scores 2 and 6
    torch.testing.assert_close(trace.attention[0], torch.tensor([[[[1.0, 0.0], [share, 1 - share]]]]))
    torch.testing.assert_close(y[0, 0, 1, 0], 10 * share + 20 * (1 - share))


def test_what_looks_across_is_kept_apart() -> None:
    q, k, v = torch.randn(2, 6, 3, 8), torch.randn(2, 6, 7, 8), torch.randn(2, 6, 7, 8)
    trace, mask = Trace(q.device), Padded(torch.tensor([3, 7]))
    torch.testing.assert_close(trace.attend_across(q, k, v, mask), attend(q, k, v, mask), atol=1e-5, rtol=1e-5)
    assert trace.attention == [] and trace.cross[0].shape == (2, 6, 3, 7) and (trace.cross[0][0, :, :, 3:] == 0).all()


def test_a_trace_is_of_one_reading() -> None:
    trace = Trace(torch.device("cpu"))
    with pytest.raises(AssertionError, match="one reading"):
        trace.layer(1)
