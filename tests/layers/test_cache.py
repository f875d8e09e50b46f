import pytest
import torch

from gptwright.layers.attention import Attention
from gptwright.layers.cache import Cache
from gptwright.layers.masks import CAUSAL, Banded, Mask, Strided

LENGTHS = [3, 1, 5]


@pytest.mark.parametrize("mask", [CAUSAL, Banded(1), Banded(3), Strided(2), Strided(3)], ids=str)
def test_a_ragged_first_read_and_then_token_by_token_equals_the_whole_reading(mask: Mask) -> None:
    part, x = Attention(8, 2), torch.randn(3, 9, 8)
    whole = part(x, mask)
    cache = Cache(1, 3, 2, 9, 4, torch.float32)
    lengths = torch.tensor(LENGTHS)
    first = part(x[:, :5], mask, cache.layer(0))
    cache.advance(lengths)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(first[row, :length], whole[row, :length], atol=1e-6, rtol=1e-5)
    for _ in range(4):
        now = cache.lengths.clone()
        y = part(x[torch.arange(3), now][:, None], mask, cache.layer(0))
        cache.advance(torch.ones(3, dtype=torch.long))
        torch.testing.assert_close(y[:, 0], whole[torch.arange(3), now], atol=1e-6, rtol=1e-5)
    assert cache.lengths.tolist() == [7, 5, 9]


def test_layers_do_not_share() -> None:
    cache = Cache(2, 1, 1, 4, 2, torch.float32)
    cache.layer(1).append(torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2))
    assert cache.keys[0].abs().sum() == 0
    assert cache.keys[1].sum() == 6
    assert cache.positions(2).tolist() == [[0, 1]], "rows are longer only once they were advanced"


def test_more_than_the_capacity_is_not_stored_elsewhere() -> None:
    cache = Cache(1, 1, 1, 2, 2, torch.float32)
    with pytest.raises(IndexError):
        cache.layer(0).append(torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2))
