"""Where the part of a tensor that a process holds lies in the whole: for norms, for gathering, for checkpoints.

First a tensor may be cut for the mesh's `tensor` axis, then FSDP deals the rows of what is left along `shard`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from gptwright.training.distributed.tensor_parallel import ShardSpec
from gptwright.training.distributed.world import ALONE, World


@dataclass(frozen=True)
class ShardRegion:
    """A part of a whole tensor: runs of its rows, one after the other, and of each row the `columns`."""

    rows: tuple[range, ...]
    columns: range | None = None

    @property
    def height(self) -> int:
        """Rows of the part."""
        return sum(map(len, self.rows))

    def of(self, whole: Tensor) -> Tensor:
        """The part, as a copy where it is not the whole."""
        if not whole.dim():
            return whole
        parts = [self.view(whole, rows) for rows in self.rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts) if parts else whole[:0]

    def view(self, whole: Tensor, rows: range) -> Tensor:
        """Some rows of it, not copied."""
        found = whole[rows.start : rows.stop]
        return found if self.columns is None else found[:, self.columns.start : self.columns.stop]

    def put(self, part: Tensor, whole: Tensor) -> None:
        """Writes the part where it belongs."""
        place = 0
        for rows in self.rows:
            self.view(whole, rows).copy_(part[place : place + len(rows)])
            place += len(rows)


class Layout:
    """The regions of a model's parameters; `shapes` and `cuts` by name. Alone, every region is the whole.

    Gradients of those `inside` of cut layers come from a part of the heads.
    """

    def __init__(
        self,
        world: World,
        shapes: Mapping[str, torch.Size],
        cuts: Mapping[str, ShardSpec],
        inside: Collection[str] = (),
    ) -> None:
        self.world, self.shapes, self.cuts, self.inside = world, shapes, cuts, inside

    def region(self, name: str, shape: Iterable[int], shard: int, part: int) -> ShardRegion:
        """What the process at these places of the mesh holds of a tensor."""
        mesh, (height, *rest) = self.world.mesh, tuple(shape)
        cut = self.cuts.get(name)
        columns = range(rest[0]) if cut and cut.dim == 1 else None
        if columns is not None:
            width = len(columns) // mesh.tensor
            columns = columns[part * width : (part + 1) * width]
        runs = [range(height)]
        if cut and cut.dim == 0:
            run, size = height // cut.parts, height // cut.parts // mesh.tensor
            runs = [range(run * i + size * part, run * i + size * (part + 1)) for i in range(cut.parts)]
        each = ceil(sum(map(len, runs)) / mesh.shard)
        return ShardRegion(tuple(dealt(runs, each * shard, each * (shard + 1))), columns)

    def mine(self, name: str) -> ShardRegion:
        """What this process holds."""
        return self.region(name, self.shapes[name], self.world.shard, self.world.part)

    def part(self, name: str, whole: Tensor) -> Tensor:
        """What this process keeps of a whole tensor that it has."""
        return whole if self.world.axes is None else self.mine(name).of(whole)

    def is_written_here(self, name: str) -> bool:
        """Whether this process is the one that saves its region: others may hold the same."""
        return self.world.replica == 0 and (name in self.cuts or self.world.part == 0)

    def complete(self, gradients: Mapping[str, Tensor]) -> None:
        """Adds up, in place, what each process of a part has only a part of."""
        for name in sorted(self.inside):
            torch.distributed.all_reduce(gradients[name], group=self.world.axes["tensor"].get_group())

    def norm(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """The root of the sum of the squares of all numbers of all processes of a copy, each number counted once."""
        if self.world.axes is None:
            return nn.utils.get_total_norm(tensors.values(), foreach=True)
        counted = [t for name, t in tensors.items() if name in self.cuts or self.world.part == 0]
        square = nn.utils.get_total_norm(counted, foreach=True).square().to(self.world.device)
        torch.distributed.all_reduce(square, group=self.world.copy)
        return square.sqrt()

    def whole(self, name: str, tensor: Tensor) -> Tensor:
        """Gathered from the processes of this copy, all of which must ask, in every one of them."""
        if self.world.axes is None:
            return tensor
        mesh, shape = self.world.mesh, self.shapes[name]
        places = [(shard, part) for shard in range(mesh.shard) for part in range(mesh.tensor)]
        regions = [self.region(name, shape, *place) for place in places]
        rows, width = max(region.height for region in regions), tensor.shape[1:]
        sent = tensor.new_zeros(rows, *width)
        sent[: len(tensor)] = tensor
        parts = [torch.empty_like(sent) for _ in places]
        torch.distributed.all_gather(parts, sent, group=self.world.copy)
        whole = tensor.new_empty(shape)
        for region, part in zip(regions, parts, strict=True):
            region.put(part, whole)
        return whole


class Replicas(Layout):
    """Every process holds the whole model, and adds up the gradients that all have of their own rows."""

    def __init__(self, world: World) -> None:
        super().__init__(world, {}, {})

    def part(self, name: str, whole: Tensor) -> Tensor:
        return whole

    def whole(self, name: str, tensor: Tensor) -> Tensor:
        return tensor

    def complete(self, gradients: Mapping[str, Tensor]) -> None:
        """In place, and all at once: a message costs more than its numbers."""
        if self.world.axes is None or not gradients:
            return
        total = self.world.total(torch.cat([gradient.flatten() for gradient in gradients.values()]))
        for gradient, sum_ in zip(
            gradients.values(), total.split([g.numel() for g in gradients.values()]), strict=True
        ):
            gradient.copy_(sum_.view_as(gradient))

    def norm(self, tensors: Mapping[str, Tensor]) -> Tensor:
        return nn.utils.get_total_norm(tensors.values(), foreach=True)


def dealt(runs: Iterable[range], start: int, stop: int) -> Iterable[range]:
    """Places `start` to `stop` of runs laid end to end, as runs."""
    place = 0
    for run in runs:
        found = run[max(start - place, 0) : max(stop - place, 0)]
        if len(found):
            yield found
        place += len(run)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that lies in this process: FSDP's parameters and gradients are torch's DTensors."""
    to_local: Any = getattr(tensor, "to_local", None)
    return to_local() if to_local else tensor


ALL = Layout(ALONE, {}, {})
