"""Parts of a tensor on any mesh are the whole, each number once."""

from itertools import product

import torch
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.processes import Process
from gptwright.training.distributed.layout import ALL, Layout, ShardRegion, dealt, local
from gptwright.training.distributed.mesh import Mesh
from gptwright.training.distributed.tensor_parallel import ShardSpec
from gptwright.training.distributed.world import World

CUTS = (None, ShardSpec(0), ShardSpec(0, 3), ShardSpec(1))


def layout(mesh: Mesh, shape: torch.Size, cut: ShardSpec | None) -> Layout:
    world = World(Process(), mesh, torch.device("cpu"))
    return Layout(world, {"w": shape}, {"w": cut} if cut else {})


@given(shard=st.integers(1, 5), tensor=st.sampled_from([1, 2, 4]), cut=st.sampled_from(CUTS), height=st.integers(1, 3))
def test_the_parts_put_together_are_the_whole(shard: int, tensor: int, cut: ShardSpec | None, height: int) -> None:
    whole = torch.arange(height * 12 * 8).view(-1, 8)
    parts = layout(Mesh(shard=shard, tensor=tensor), whole.shape, cut)
    again, times = torch.full_like(whole, -1), torch.zeros_like(whole)
    for place in product(range(shard), range(tensor if cut else 1)):
        region = parts.region("w", whole.shape, *place)
        part = region.of(whole)
        assert len(part) == region.height
        region.put(part, again)
        for rows in region.rows:
            region.view(times, rows).add_(1)
    assert torch.equal(again, whole) and (times == 1).all()


@given(tensor=st.sampled_from([1, 2, 4]), cut=st.sampled_from(CUTS[1:]))
def test_a_part_is_what_the_cut_takes(tensor: int, cut: ShardSpec) -> None:
    whole = torch.arange(12 * 8).view(12, 8)
    parts = layout(Mesh(shard=1, tensor=tensor), whole.shape, cut)
    for part in range(tensor):
        assert torch.equal(parts.region("w", whole.shape, 0, part).of(whole), cut.of(whole, part, tensor))


def test_queries_keys_and_values_are_cut_each_by_itself() -> None:
    qkv = torch.tensor([10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33])
    assert ShardSpec(0, 3).of(qkv, 1, 2).tolist() == [12, 13, 22, 23, 32, 33]


def test_rows_are_dealt_as_torch_chunks_them() -> None:
    for rows, shards in product(range(1, 20), range(1, 6)):
        whole = torch.arange(rows)
        parts = layout(Mesh(shard=shards), whole.shape, None)
        chunks = [chunk.tolist() for chunk in whole.chunk(shards)]
        found = [parts.region("w", whole.shape, shard, 0).of(whole).tolist() for shard in range(shards)]
        assert found == chunks + [[]] * (shards - len(chunks))


def test_places_of_runs_by_hand() -> None:
    assert list(dealt([range(0, 4), range(10, 14)], 2, 7)) == [range(2, 4), range(10, 13)]
    assert list(dealt([range(0, 4)], 4, 8)) == []


def test_alone_everything_is_whole() -> None:
    x = torch.randn(3, 2)
    assert ALL.whole("w", x) is x and ALL.part("w", x) is x and local(x) is x
    assert torch.equal(ALL.norm({"a": x, "b": 2 * x}), (5 * x.square().sum()).sqrt())
    assert torch.equal(ShardRegion(()).of(x), x[:0])
