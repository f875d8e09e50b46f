"""What any layout wrote, any other reads."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.processes import Process
from gptwright.training.distributed.layout import ALL, Layout
from gptwright.training.distributed.mesh import Mesh
from gptwright.training.distributed.sharded_tensors import Pieces, parameter_of, read_pieces, write_pieces
from gptwright.training.distributed.tensor_parallel import ShardSpec
from gptwright.training.distributed.world import World

MESHES = ("one", "shard 2", "tensor 2", "replicate 2", "shard 2 × tensor 2", "replicate 2 × shard 2")
TENSORS = {"master.qkv": torch.randn(24, 8), "exp_avg.out": torch.randn(8, 8), "master.norm": torch.randn(7),
           "step.qkv": torch.tensor(3.0), "skipped": torch.tensor(2)}  # fmt: skip
SHAPES = {parameter_of(name): tensor.shape for name, tensor in TENSORS.items() if tensor.dim()}
CUTS = {"qkv": ShardSpec(0, 3), "out": ShardSpec(1)}


def layouts(mesh: Mesh) -> list[Layout]:
    """One for each process of the mesh, as if all were here."""
    count = mesh.replicate * mesh.shard * mesh.tensor
    worlds = [World(Process(), Mesh(shard=1), torch.device("cpu")) for _ in range(count)]
    for rank, world in enumerate(worlds):
        world.process, world.mesh, world.first, world.axes = Process(rank, count), mesh, rank == 0, object()
        world.replica, world.shard, world.part = mesh.place(rank)
    return [Layout(world, SHAPES, CUTS if mesh.tensor > 1 else {}) for world in worlds]


def part(name: str, layout: Layout) -> torch.Tensor:
    whole = TENSORS[name]
    return layout.mine(parameter_of(name)).of(whole) if whole.dim() else whole


meshes = st.builds(Mesh, replicate=st.integers(1, 2), shard=st.integers(1, 4), tensor=st.sampled_from([1, 2, 4]))


@settings(max_examples=30)
@given(writers=meshes, readers=meshes)
def test_any_layout_to_any_layout(writers: Mesh, readers: Mesh, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    for layout in layouts(writers):
        write_pieces({name: part(name, layout) for name in TENSORS}, folder, layout)
    for layout in layouts(readers):
        found = read_pieces(folder, layout)
        assert found.keys() == TENSORS.keys()
        for name, tensor in found.items():
            assert torch.equal(tensor, part(name, layout)) and tensor.dtype == TENSORS[name].dtype
    whole = read_pieces(folder, ALL)
    assert all(torch.equal(whole[name], tensor) for name, tensor in TENSORS.items())


def test_no_number_is_written_twice(tmp_path: Path) -> None:
    for layout in layouts(Mesh(replicate=2, shard=2, tensor=2)):
        write_pieces({name: part(name, layout) for name in TENSORS}, tmp_path, layout)
    files = [load_file(path) for path in tmp_path.iterdir()]
    assert sum(tensor.numel() for file in files for tensor in file.values()) == sum(
        tensor.numel() for tensor in TENSORS.values()
    )
    assert sorted(path.name for path in tmp_path.iterdir())[0] == "state-00001-of-00008.safetensors"


def test_one_process_writes_plain_safetensors(tmp_path: Path) -> None:
    write_pieces(TENSORS, tmp_path, ALL)
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]
    assert load_file(tmp_path / "state.safetensors").keys() == TENSORS.keys()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for layout in layouts(Mesh(shard=2)):
        write_pieces({name: part(name, layout) for name in TENSORS}, tmp_path, layout)
    (tmp_path / "state-00002-of-00002.safetensors").unlink()
    with pytest.raises(ArtifactError, match="2 files of tensors"):
        read_pieces(tmp_path, ALL)


def test_missing_pieces_are_named(tmp_path: Path) -> None:
    first, second = layouts(Mesh(shard=2))
    write_pieces({name: part(name, first) for name in TENSORS}, tmp_path, first)
    write_pieces({}, tmp_path, second)
    with (
        Pieces(tmp_path) as pieces,
        pytest.raises(ArtifactError, match=r"all of master.qkv in .*got 96 of 192 numbers"),
    ):
        pieces.read("master.qkv")


@pytest.mark.parametrize("begun", MESHES)
@pytest.mark.parametrize("mesh", [*MESHES[1:], "one again"])
def test_a_run_goes_on_in_any_layout(found: dict[str, Any], begun: str, mesh: str) -> None:
    """With masters, moments and counts of steps: a mesh goes on from all that ran before it."""
    whole, gone_on = found["one"]["learned"]["gpt2"], found[mesh]["went on"].get(f"after {begun}")
    before = [*MESHES, "one again"].index(begun) < [*MESHES, "one again"].index(mesh)
    assert (gone_on is not None) == before
    if gone_on is not None:
        assert gone_on == pytest.approx(whole[4:], rel=1e-5)
