import torch

from gptwright.layers.masks import CAUSAL


def test_a_query_sees_itself_and_what_came_before() -> None:
    allowed = CAUSAL.allowed(torch.tensor([[0, 2], [1, 3]]), 4)
    assert allowed.int().tolist() == [[[1, 0, 0, 0], [1, 1, 1, 0]], [[1, 1, 0, 0], [1, 1, 1, 1]]]
