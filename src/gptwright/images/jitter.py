"""The same picture a little nearer or farther and aside: the random crop of CLIP (Radford et al. 2021, §2.4), small
enough that whatever is drawn stays in sight."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SCALE, ASIDE = 0.15, 0.1  # at most, as shares of half a side


def jittered(images: Float[Tensor, "B 3 S S"], seed: int) -> Float[Tensor, "B 3 S S"]:
    """Each image on its own, drawn by the seed. What comes from beyond the edge continues the edge."""
    dice = torch.Generator().manual_seed(seed)
    drawn = 2 * torch.rand(len(images), 3, generator=dice) - 1
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 + SCALE * drawn[:, 0]
    theta[:, :, 2] = ASIDE * drawn[:, 1:]
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
