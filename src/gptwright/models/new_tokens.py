"""A decoder that learns further special tokens: its embedding grows by them, and its output matrix."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gptwright.layers.embedding import Embedding
from gptwright.models.catalogue import family_of
from gptwright.models.decoder import Decoder

SPREAD = 0.02


@torch.no_grad()
def with_new_tokens(network: Decoder, ids: Sequence[int], seed: int) -> Decoder:
    """The same decoder with fresh vectors for these ids, N(0, 0.02²), in the embedding and, where that is another, in
    the output matrix. Both grow as far as the ids need; every other number stays. The embedding knows which are new."""
    config = replace(network.config, vocab=max(network.config.vocab, max(ids) + 1))
    with torch.device("meta"):
        grown = family_of(config).model(config)
    random = torch.Generator().manual_seed(seed)
    tensors = network.state_dict()
    for name, parameter in network.named_parameters():
        if parameter is network.embed.weight or parameter is network.output:
            tensors[name] = _grown(parameter, config.vocab, ids, random)
    grown.load_state_dict(tensors, assign=True)
    assert isinstance(grown, Decoder) and isinstance(grown.embed, Embedding)
    grown.embed.new = range(min(ids), max(ids) + 1)
    return grown.requires_grad_(True).eval()


def _grown(matrix: Tensor, rows: int, ids: Sequence[int], random: torch.Generator) -> Tensor:
    found = torch.cat([matrix, matrix.new_zeros(rows - len(matrix), matrix.shape[1])])
    found[list(ids)] = torch.randn(len(ids), matrix.shape[1], generator=random).mul_(SPREAD).to(found)
    return found
