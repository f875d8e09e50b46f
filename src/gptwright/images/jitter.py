"""The same picture a little nearer or farther, aside and askew: the random crop of CLIP (Radford et al. 2021, §2.4),
small enough that whatever is drawn stays in sight. Colours stay, and nothing is mirrored: that is another flag."""

from math import pi

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SCALE, ASIDE, TURN = 0.15, 0.1, 8 / 180 * pi  # at most: shares of half a side, and radians


def jittered(images: Float[Tensor, "B 3 S S"], seed: int) -> Float[Tensor, "B 3 S S"]:
    """Each image on its own, drawn by the seed. What comes from beyond the edge continues the edge."""
    dice = torch.Generator().manual_seed(seed)
    nearer, right, down, turn = (2 * torch.rand(len(images), 4, generator=dice) - 1).unbind(1)
    size, angle = 1 + SCALE * nearer, TURN * turn
    along, across = size * angle.cos(), size * angle.sin()
    theta = torch.stack([along, -across, ASIDE * right, across, along, ASIDE * down], dim=1).unflatten(1, (2, 3))
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
