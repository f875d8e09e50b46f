"""An image as a sequence: squares side by side, each a vector (Dosovitskiy et al. 2020, §3.1)."""

from jaxtyping import Float
from torch import Tensor, nn

CHANNELS = 3


def patches_of(images: Float[Tensor, "B 3 H W"], patch: int) -> Float[Tensor, "B N P"]:
    """The squares of `patch` × `patch` pixels, row by row from the top left; each has its red pixels first."""
    squares = images.unfold(2, patch, patch).unfold(3, patch, patch)  # B 3 rows columns patch patch
    return squares.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


class PatchEmbedding(nn.Module):
    """One matrix for all patches; no bias, as CLIP has it. The same as a convolution whose stride is its kernel."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.project = nn.Linear(CHANNELS * patch**2, width, bias=False)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        return self.project(patches_of(images.to(self.project.weight.dtype), self.patch))
