from typing import Any

import pytest
import torch

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.processes import NEEDED
from gptwright.training.distributed.mesh import Mesh
from gptwright.training.distributed.world import ALONE, in_turn, joined, world


def test_what_is_left_shards() -> None:
    assert Mesh().of(1).sizes == (1, 1, 1)
    assert Mesh().of(8).sizes == (1, 8, 1)
    assert Mesh(replicate=2, tensor=2).of(16).sizes == (2, 4, 2)
    assert Mesh(replicate=2, shard=4, tensor=2).of(16).sizes == (2, 4, 2)


@pytest.mark.parametrize(
    ("mesh", "processes", "needed"),
    [
        (Mesh(tensor=3), 8, "6 processes for a mesh of replicate 1 × shard 2 × tensor 3; got 8"),
        (Mesh(shard=4), 8, "4 processes for a mesh .* got 8"),
        (Mesh(shard=2), 1, "2 processes for a mesh .* got 1"),
        (Mesh(tensor=16), 8, "16 processes for a mesh .* got 8"),
    ],
)
def test_a_mesh_that_does_not_fit(mesh: Mesh, processes: int, needed: str) -> None:
    with pytest.raises(ConfigError, match=needed):
        mesh.of(processes)


def test_every_process_has_a_place_and_parts_of_a_layer_are_neighbours() -> None:
    mesh = Mesh(replicate=2, shard=3, tensor=2)
    places = [mesh.place(rank) for rank in range(12)]
    assert len(set(places)) == 12
    assert places[:4] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]


def test_processes_with_the_same_rows_share_nothing() -> None:
    """Rows are divided by replicas and shards; parts of a layer read the same ones."""
    shares = [
        (place[0] * 3 + place[1], place[2]) for place in map(Mesh(replicate=2, shard=3, tensor=2).place, range(12))
    ]
    assert sorted({rows for rows, _ in shares}) == list(range(6))


def test_alone_every_question_has_an_answer() -> None:
    assert ALONE.first and ALONE.all_max(3) == 3 and ALONE.broadcast(4) == 4
    assert float(ALONE.total(torch.tensor(2.0))) == 2.0
    assert len(list(ALONE.batch_shard(2).slices(4))) == 2
    ALONE.barrier()
    with joined(Mesh(), "cpu"):
        assert in_turn(lambda: 5) == 5
    assert world(Mesh(), "cpu").process.count == 1


def test_together_all_agree(found: dict[str, Any]) -> None:
    for mesh, count in (("shard 2", 2), ("tensor 2", 2), ("shard 2 × tensor 2", 4), ("replicate 2 × shard 2", 4)):
        assert found[mesh]["all_max"] == count - 1 and found[mesh]["broadcast"] == 5


def test_a_mesh_is_refused_before_anybody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NEEDED, ("1", "2", "1", "2", "127.0.0.1", "1"), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="3 processes for a mesh"), joined(Mesh(tensor=3), "cpu"):
        pass
