"""Many processes as one mesh of three axes: copies of the model, shards of it, and parts of every layer.

Ranks count along `tensor` first, so that the processes that hold parts of one layer are neighbours on one machine.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from gptwright.foundations.device import use_device
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.processes import Process, this_process
from gptwright.foundations.progress import say
from gptwright.training.share import Share

TOGETHER = "Choose mesh sizes whose product is the number of processes."
PATIENCE = timedelta(hours=2)  # the first process may evaluate or hash alone while the others wait


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """How processes share the work; each axis multiplies them."""

    replicate: int = 1
    """copies of the model, each on its own rows"""
    shard: int = 0
    """processes that share one copy, each on its own rows (FSDP); 0 is all that are left"""
    tensor: int = 1
    """processes that hold parts of every layer and read the same rows; neighbours on one machine"""

    def of(self, processes: int) -> "Mesh":
        """With `shard` resolved. Raises `ConfigError` when the axes do not multiply to the number of processes."""
        if self.replicate < 1 or self.tensor < 1 or self.shard < 0:
            raise ConfigError("axes of a mesh of 1 or more", f"{self.sizes}", TOGETHER)
        others = self.replicate * self.tensor
        shard = self.shard or max(processes // others, 1)
        if others * shard != processes:
            raise ConfigError(f"{others * shard} processes for a mesh of replicate {self.replicate} × shard {shard} × "
                              f"tensor {self.tensor}", f"{processes}", TOGETHER)  # fmt: skip
        return replace(self, shard=shard)

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.replicate, self.shard, self.tensor

    def place(self, rank: int) -> tuple[int, int, int]:
        """Where a process stands on the three axes."""
        rest, tensor = divmod(rank, self.tensor)
        return rest // self.shard, rest % self.shard, tensor


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
            self.control: Any = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)

    def share(self, pieces: int) -> Share:
        """This process's part of every step's rows."""
        mesh = self.mesh
        return Share(self.replica * mesh.shard + self.shard, mesh.replicate * mesh.shard, pieces)

    def total(self, number: Tensor) -> Tensor:
        """The sum of what the processes with other rows have, in place."""
        if self.axes is not None:
            torch.distributed.all_reduce(number, group=self.data)
        return number

    def largest(self, number: int) -> int:
        """The largest of what every process says; all wait for all."""
        if self.axes is None:
            return number
        said = torch.tensor(number)
        torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX, group=self.control)
        return int(said)

    def told(self, number: int) -> int:
        """What the first process says."""
        if self.axes is None:
            return number
        said = torch.tensor(number)
        torch.distributed.broadcast(said, 0, group=self.control)
        return int(said)


ALONE = World(Process(), Mesh(shard=1), torch.device("cpu"))


@contextmanager
def world(mesh: Mesh, device: str) -> Generator[World]:
    """All processes of this work, found by what torchrun put into the environment; this one alone without it.

    Raises `ConfigError` when the mesh does not fit their number, `ResourceError` without such a device for each.
    """
    process = this_process()
    mesh = mesh.of(process.count)
    chosen = use_device(device, process.place)
    if process.count == 1:
        yield World(process, mesh, chosen)
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    say(f"{process.count} processes: replicate {mesh.replicate} × shard {mesh.shard} × tensor {mesh.tensor}")
    try:
        yield World(process, mesh, chosen)
    finally:
        torch.distributed.destroy_process_group()
