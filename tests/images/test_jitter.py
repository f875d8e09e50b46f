"""Jitter: drawn by the seed alone, and what is drawn in the middle stays in sight."""

import torch

from gptwright.images.jitter import jittered


def test_the_seed_decides_and_each_image_goes_its_own_way() -> None:
    images = torch.rand(1, 3, 8, 8).expand(4, 3, 8, 8)
    found = jittered(images, 1)
    assert torch.equal(found, jittered(images, 1)) and not torch.equal(found, jittered(images, 2))
    assert not torch.equal(found[0], found[1])


def test_an_even_picture_stays_as_it_is_up_to_its_edges() -> None:
    assert torch.allclose(jittered(torch.full((3, 3, 8, 8), 0.5), 3), torch.tensor(0.5))


def test_a_square_in_the_middle_stays_in_sight() -> None:
    images = torch.zeros(50, 3, 16, 16)
    images[:, :, 4:12, 4:12] = 1
    assert bool((jittered(images, 4).sum((1, 2, 3)) > 0.7 * 3 * 64).all())
