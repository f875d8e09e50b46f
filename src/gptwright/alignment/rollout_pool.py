"""Several who answer a step's prompts, each a share of them; what they leave together is the rollout of one alone.

The random numbers of an answer belong to its place among all prompts, so who answers it makes no difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.foundations.device import device_of
from gptwright.training.distributed.world import World


@dataclass(frozen=True)
class Processes:
    """The processes that torchrun started: each answers its share, and all get all answers."""

    world: World

    def collect(self, worker: RolloutWorker, prompts: Sequence[Sequence[int]], *salt: object) -> Rollout:
        mine = shares(len(prompts), self.world.process.count)[self.world.process.rank]
        chosen = [prompts[i] for i in mine]
        found = worker.collect(chosen, *salt, first=mine.start).to(torch.device("cpu")) if chosen else None
        parts = [part for part in self.world.gather(found) if part is not None]
        return joined(parts, worker.pad).to(device_of(worker.engine.network))


def shares(count: int, parts: int) -> list[range]:
    """Consecutive, and of sizes that differ by one at most."""
    edges = [count * edge // parts for edge in range(parts + 1)]
    return [range(*edges[part : part + 2]) for part in range(parts)]


def joined(parts: Sequence[Rollout], pad: int) -> Rollout:
    """One rollout of several, in their order; where one is narrower than another it is padded on the right."""

    def column(name: str) -> Tensor:
        tensors: list[Tensor] = [getattr(part, name) for part in parts]
        if tensors[0].dim() == 1:
            return torch.cat(tensors)
        width = max(tensor.shape[1] for tensor in tensors)
        if name == "contents":
            return _stacked(tensors, width)
        value = {"ids": pad, "tokens": pad, "places": -1}.get(name, 0)
        return torch.cat([F.pad(tensor, (0, width - tensor.shape[1]), value=value) for tensor in tensors])

    return Rollout(**{name: column(name) for name in Rollout.__dataclass_fields__})


def _stacked(contents: Sequence[Tensor], places: int) -> Float[Tensor, "N P C"]:
    """A part without images does not know how wide they are."""
    size = max(each.shape[2] for each in contents)
    return torch.cat([F.pad(each, (0, size - each.shape[2], 0, places - each.shape[1])) for each in contents])
