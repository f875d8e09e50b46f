"""Conversations that share a row are learned as if each had its own."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gptwright.alignment.demonstrations import Demonstration, Demonstrations
from gptwright.alignment.packing import PADDING, Packing
from gptwright.models.catalogue import FAMILIES
from gptwright.models.family import Family
from gptwright.objectives.language import IGNORED
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.next_token import next_token_losses

DECODERS = [family for family in FAMILIES.values() if family.kind == "decoder"]


def pool(lengths: list[int]) -> list[Demonstration]:
    """Demonstration i consists of the id i + 1."""
    return [Demonstration([i + 1] * n, [*[IGNORED] * (n // 2), *[i + 1] * (n - n // 2)]) for i, n in enumerate(lengths)]


def network_of(family: Family) -> Any:
    sizes = {"vocab": 40, "context": 256, "width": 16, "heads": 2, "layers": 2}
    few = {"kv_heads": 1, "hidden": 32, "reach": 3}
    network = family.model(
        family.config(**sizes, **{name: n for name, n in few.items() if name in family.config.__dataclass_fields__})
    )
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    return network


@pytest.mark.parametrize("family", DECODERS, ids=lambda family: family.name)
@pytest.mark.parametrize("processes", [1, 3])
def test_loss_and_gradient_are_those_of_a_row_each(family: Family, processes: int) -> None:
    examples = pool([7, 90, 33, 5, 61, 12, 40, 2])
    found: list[tuple[float, dict[str, torch.Tensor]]] = []
    for packing in (None, Packing(128, processes)):
        network = network_of(family)
        batch = Demonstrations(examples, 8, seed=1, pad=0, packing=packing).batch(0)
        assert batch.rows == (3 if packing else 8)
        total = 0.0
        for shard in [BatchShard(rank, processes) for rank in range(processes)] if packing else [WHOLE]:
            for loss in next_token_losses(network, batch, shard):
                loss.backward()
                total += float(loss.detach())
        found.append((total, {name: p.grad for name, p in network.named_parameters() if p.grad is not None}))
    (alone, expected), (together, got) = found
    assert together == pytest.approx(alone, rel=1e-5)
    assert expected.keys() == got.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(got[name], gradient, atol=1e-5, rtol=1e-4)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), st.integers(1, 4), st.integers(1, 300))
def test_every_conversation_is_there_once_and_whole(lengths: list[int], fewest: int, length: int) -> None:
    examples = pool(lengths)
    batch = Packing(length, fewest).batch([e.ids for e in examples], [e.targets for e in examples], 0)
    assert batch.documents is not None
    assert batch.ids.shape == batch.targets.shape == batch.documents.shape
    assert min(fewest, len(lengths)) <= batch.rows <= len(lengths)
    assert batch.ids.shape[1] <= max(length, *lengths)
    for number, example in enumerate(examples):
        mine = batch.documents == number
        assert batch.ids[mine].tolist() == example.ids and batch.targets[mine].tolist() == example.targets
        assert mine.any(1).sum() == 1, "in one row"
    rest = batch.documents == PADDING
    assert (batch.targets[rest] == IGNORED).all() and int(rest.sum()) == batch.ids.numel() - sum(lengths)
