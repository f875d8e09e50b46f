"""The processes of a mesh: who this one is among them, and what they tell each other."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import torch
from torch import Tensor

from gptwright.foundations.device import choose_device, use_device
from gptwright.foundations.processes import Process, this_process
from gptwright.foundations.progress import say
from gptwright.training.batch_shard import BatchShard
from gptwright.training.distributed.mesh import Mesh

T = TypeVar("T")
MEETINGS = count()  # how often this process has joined others
PATIENCE = timedelta(hours=2)  # the first process may evaluate or hash alone while the others wait


class World:
    """This process among the others. Alone, every question has an answer at once. Made by `world`."""

    def __init__(self, process: Process, mesh: Mesh, device: torch.device) -> None:
        self.process, self.mesh, self.device = process, mesh, device
        self.replica, self.shard, self.part = mesh.place(process.rank)
        self.first = process.first
        self.axes: Any = None
        if process.count > 1:
            from torch.distributed.device_mesh import init_device_mesh

            self.axes = init_device_mesh(device.type, mesh.sizes, mesh_dim_names=("replicate", "shard", "tensor"))
            self.copy: Any = self.axes["shard", "tensor"]._flatten("copy").get_group()
            self.data: Any = self.axes["replicate", "shard"]._flatten("data").get_group()
            self.control, self.background = (_on_processors() for _ in range(2))

    def batch_shard(self, micro_batches: int) -> BatchShard:
        """This process's part of every step's rows."""
        mesh = self.mesh
        return BatchShard(self.replica * mesh.shard + self.shard, mesh.replicate * mesh.shard, micro_batches)

    def total(self, number: Tensor) -> Tensor:
        """The sum of what the processes with other rows have, in place."""
        if self.axes is not None:
            torch.distributed.all_reduce(number, group=self.data)
        return number

    def all_max(self, number: int) -> int:
        """The largest of what every process says; all wait for all."""
        if self.axes is None:
            return number
        said = torch.tensor(number)
        torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX, group=self.control)
        return int(said)

    def broadcast(self, number: int) -> int:
        """What the first process says."""
        if self.axes is None:
            return number
        said = torch.tensor(number)
        torch.distributed.broadcast(said, 0, group=self.control)
        return int(said)

    def gather(self, thing: T) -> list[T]:
        """What every process has, from the first to the last; all wait for all."""
        if self.axes is None:
            return [thing]
        found: list[Any] = [None] * self.process.count
        torch.distributed.all_gather_object(found, thing, group=self.control)
        return found

    def barrier(self) -> None:
        """Returns when every process has come here; for a thread beside the work."""
        if self.axes is not None:
            torch.distributed.barrier(group=self.background)


def _on_processors() -> Any:
    return torch.distributed.new_group(backend="gloo", timeout=PATIENCE)


ALONE = World(Process(), Mesh(shard=1), torch.device("cpu"))


@contextmanager
def joined(mesh: Mesh, device: str) -> Generator[None]:
    """All processes of this work find each other by what torchrun put into the environment; one alone need not.

    Raises `ConfigError` when that is incomplete or the mesh does not fit their number, `ResourceError` without such a
    device for each: before any waits for the others.
    """
    process = this_process()
    mesh.of(process.count)
    if process.count == 1:
        yield
        return
    kind = choose_device(device, process.place).type
    store, rank, processes = next(torch.distributed.rendezvous("env://"))  # pyright: ignore[reportPrivateImportUsage]
    # torchrun keeps one store for all restarts: without a name of its own a group would find addresses of the dead.
    # Nor may a stage find those of the stage before it.
    attempt = f"meeting {next(MEETINGS)} of attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)} of {processes}"
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo",
        store=torch.distributed.PrefixStore(attempt, store),  # pyright: ignore[reportPrivateImportUsage]
        rank=rank,
        world_size=processes,
    )
    yield
    torch.distributed.destroy_process_group()  # not after an error: who waits for others waits here too


def in_turn(work: Callable[[], T]) -> T:
    """The first process does some work, and then the others."""
    process = this_process()
    done = work() if process.first else None
    if process.count > 1:
        torch.distributed.broadcast(torch.zeros(()), 0)
    return work() if done is None else done


def replicas(device: str) -> World:
    """This process among others each of which holds the whole model."""
    return world(Mesh(replicate=this_process().count, shard=1), device)


def world(mesh: Mesh, device: str) -> World:
    """This process on a mesh of all that have `joined`. Raises `ConfigError` when it does not fit their number."""
    process = this_process()
    mesh = mesh.of(process.count)
    found = World(process, mesh, use_device(device, process.place))
    if process.count > 1:
        axes = zip(("replicate", "shard", "tensor"), mesh.sizes, strict=True)
        say(f"{process.count} processes: {' × '.join(f'{name} {size}' for name, size in axes)}")
    return found
