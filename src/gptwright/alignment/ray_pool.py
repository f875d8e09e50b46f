"""Rollout workers on Ray: processes, here or on other machines, that answer with the weights of now.

A worker holds no more than a copy of the model: one that dies is started anew and gets the same prompts again, so that
an update does not depend on who lived through it.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_pool import joined, shares
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.foundations.device import device_of, use_threads
from gptwright.foundations.errors import ProcessLost
from gptwright.foundations.progress import say
from gptwright.foundations.ray_cluster import open_ray
from gptwright.inference.engine import Engine

TRIES = 3  # of a share of one step, before all is given up

Weights = Mapping[str, Mapping[str, Tensor]]


class RayWorker:
    """What runs in a process of Ray: a `RolloutWorker` with an engine of its own."""

    def __init__(self, fields: Mapping[str, Any], network: Any, stop_ids: Sequence[int], threads: int) -> None:
        use_threads(threads)
        self.worker = RolloutWorker(engine=Engine(network, stop_ids), **fields)

    def collect(
        self, weights: Weights, prompts: Sequence[Sequence[int]], salt: Sequence[object], first: int
    ) -> Rollout:
        """Answers a share of a step's prompts, whose first is number `first` of all."""
        for name, part in learning(self.worker).items():
            part.load_state_dict(weights[name])
        return self.worker.collect(prompts, *salt, first=first)


@dataclass(frozen=True)
class Share:
    """Prompts of a step for the worker at `place`; the first of them is number `first` of all."""

    place: int
    first: int
    prompts: list[Sequence[int]]


class RayPool:
    """`count` workers. Made by `ray_pool`."""

    def __init__(self, ray: Any, worker: RolloutWorker, count: int, threads: int) -> None:
        fields = {name: getattr(worker, name) for name in worker.__dataclass_fields__ if name != "engine"}
        self._ray, self._of = ray, (fields, worker.engine.network, sorted(worker.engine.stop_ids), threads)
        self.workers = [self._start() for _ in range(count)]

    def collect(self, worker: RolloutWorker, prompts: Sequence[Sequence[int]], *salt: object) -> Rollout:
        weights = self._ray.put({
            name: {key: tensor.detach().cpu() for key, tensor in part.state_dict().items()}
            for name, part in learning(worker).items()
        })  # fmt: skip
        mine = [
            Share(place, numbers.start, [prompts[i] for i in numbers])
            for place, numbers in enumerate(shares(len(prompts), len(self.workers)))
            if numbers
        ]
        begun = [self._ask(share, weights, salt) for share in mine]
        parts = [self._finish(answer, share, weights, salt) for answer, share in zip(begun, mine, strict=True)]
        return joined(parts, worker.pad).to(device_of(worker.engine.network))

    def _ask(self, share: Share, weights: Any, salt: Sequence[object]) -> Any:
        return self.workers[share.place].collect.remote(weights, share.prompts, salt, share.first)

    def _finish(self, answer: Any, share: Share, weights: Any, salt: Sequence[object]) -> Rollout:
        """A share's answers, from another worker where the one that had it has died."""
        for _ in range(TRIES):
            try:
                return self._ray.get(answer)
            except self._ray.exceptions.RayActorError:
                say(f"rollout worker {share.place + 1} has ended; another answers its prompts")
                self.workers[share.place] = self._start()
                answer = self._ask(share, weights, salt)
        raise ProcessLost(f"answers of rollout worker {share.place + 1}", f"none: it ended {TRIES} times",
                          "See Ray's log of it; the same command goes on from the last checkpoint.")  # fmt: skip

    def _start(self) -> Any:
        return self._ray.remote(RayWorker).remote(*self._of)


@contextmanager
def ray_pool(worker: RolloutWorker, count: int, threads: int) -> Generator[RayPool]:
    """A pool on the Ray that RAY_ADDRESS names, or on one that is begun here and ends with the block.

    Raises `ResourceError` when Ray is not installed or does not start.
    """
    with open_ray("rollout workers") as ray:
        yield RayPool(ray, worker, count, threads)


def learning(worker: RolloutWorker) -> Mapping[str, nn.Module]:
    """The parts of a worker that change from step to step."""
    head: Any = worker.value_head
    return {"network": worker.engine.network} | ({"value": head} if head else {})
