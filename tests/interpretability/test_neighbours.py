"""Nearest by direction, whatever the length, and never itself."""

import torch

from gptwright.interpretability.neighbours import neighbours


def test_by_hand() -> None:
    embedding = torch.tensor([[1.0, 0.0], [5.0, 1.0], [0.0, 2.0], [-3.0, -1.0]])
    ids, cosines = neighbours(embedding, [0, 2], 2)
    assert ids == [[1, 2], [1, 0]]
    assert [round(cosine, 4) for cosine in cosines[0]] == [0.9806, 0.0]
    assert [len(near) for near in neighbours(embedding, [3], 99)[0]] == [3]


def test_a_vector_of_nothing_is_no_neighbour_and_no_fault() -> None:
    ids, cosines = neighbours(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), [1], 2)
    assert ids == [[2, 0]] and cosines[0][1] == 0
