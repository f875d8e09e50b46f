"""The contrastive loss of CLIP (Radford et al. 2021, fig. 3): of all texts of the batch, which is this image's?"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def contrastive_loss(logits: Float[Tensor, "B B"]) -> Float[Tensor, ""]:
    """Mean nats of finding the text of each image and the image of each text, halved together (symmetric InfoNCE).

    Row i of `logits` says how well image i goes with each text; its own is text i.
    """
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
