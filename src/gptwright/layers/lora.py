"""Low-rank paths beside frozen matrices: all that learns of a model that is adapted (Hu et al. 2021, LoRA)."""

from math import sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.attention import Attention, CrossAttention, RotaryAttention
from gptwright.layers.embedding import Embedding, NewRowsEmbedding
from gptwright.layers.linear import ends_residual, parts_of, with_weight

ALPHA = 2  # times the rank: s = α / r, so that another rank wants no other rate


class LoRALinear(nn.Linear):
    """y = W x + b + s · B (A x): W and b are frozen, A and B learn (§4.1).

    B starts at zero, so that nothing changes at first. Beside a matrix of several parts (queries, keys and values) the
    parts share A, and have rows of B each.
    """

    def __init__(self, linear: nn.Linear, rank: int, random: torch.Generator) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.parts, self.residual, self.scale = parts_of(linear), ends_residual(linear), ALPHA
        self.weight, self.bias = linear.weight, linear.bias
        bound = 1 / sqrt(linear.in_features)
        first = torch.empty(rank, linear.in_features).uniform_(-bound, bound, generator=random)
        self.lora_a = nn.Parameter(first.to(self.weight))
        self.lora_b = nn.Parameter(self.weight.new_zeros(linear.out_features, rank))

    def forward(self, input: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        x = input.flatten(0, -2)
        y = F.linear(x, self.weight, self.bias).addmm_(F.linear(x, self.lora_a), self.lora_b.T, alpha=self.scale)
        return y.unflatten(0, input.shape[:-1])

    @property
    def rank(self) -> int:
        return len(self.lora_a)

    @torch.no_grad()
    def merged_weight(self) -> Float[Tensor, "O I"]:
        """W + s · B A, a new matrix in W's format."""
        return (self.weight + self.scale * (self.lora_b.float() @ self.lora_a.float())).to(self.weight.dtype)


class AdaptedLayer(nn.Module):
    """y = L x + B (A x): a path beside a layer L of any kind, with which others compute too. The scale is in B."""

    def __init__(self, layer: nn.Module, a: Float[Tensor, "R I"], b: Float[Tensor, "O R"]) -> None:
        super().__init__()
        self.layer, self.a, self.b = layer, nn.Buffer(a), nn.Buffer(b)

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return self.layer(x) + F.linear(F.linear(x, self.a.to(x.dtype)), self.b.to(x.dtype))


def add_lora(network: nn.Module, rank: int, seed: int) -> None:
    """Freezes all of the network, and puts a path of this rank beside every matrix of its attentions.

    The vectors of tokens that are new to it learn too: as they were drawn, they say nothing. The first A are a pure
    function of the seed.
    """
    network.requires_grad_(False)
    for name, embedding in list(network.named_modules()):
        if isinstance(embedding, Embedding) and embedding.new:
            network.set_submodule(name, NewRowsEmbedding(embedding))
    random = torch.Generator().manual_seed(seed)
    for attention in list(network.modules()):
        if isinstance(attention, Attention | RotaryAttention | CrossAttention):
            for name, linear in list(attention.named_children()):
                if isinstance(linear, nn.Linear):
                    setattr(attention, name, LoRALinear(linear, rank, random))


def choose_learners(network: nn.Module, rank: int, seed: int) -> None:
    """Everything learns, or with a rank low-rank paths alone."""
    if rank:
        add_lora(network, rank, seed)
    else:
        network.requires_grad_(True)


def lora_layers(network: nn.Module) -> dict[str, LoRALinear]:
    """The layers with a low-rank path, by their names."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, LoRALinear)}


def merged_weight(linear: nn.Linear) -> Float[Tensor, "O I"]:
    """What the layer multiplies with: its matrix, and its low-rank path if it has one."""
    return linear.merged_weight() if isinstance(linear, LoRALinear) else linear.weight


def merge_lora(network: nn.Module) -> None:
    """Plain layers again, which compute the same. Their matrices are new, the old ones as they were."""
    for name, layer in lora_layers(network).items():
        network.set_submodule(name, with_weight(layer, layer.merged_weight()))
    for name, embedding in list(network.named_modules()):
        if isinstance(embedding, NewRowsEmbedding):
            network.set_submodule(name, embedding.plain())
