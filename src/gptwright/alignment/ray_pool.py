"""Rollout workers on Ray: processes, here or on other machines, that answer with the weights of now.

A worker holds no more than a copy of the model: one that dies is started anew and gets the same prompts again, so that
an update does not depend on who lived through it.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_pool import joined, shares
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.foundations.device import device_of, use_threads
from gptwright.foundations.errors import ProcessLost, ResourceError
from gptwright.foundations.progress import say
from gptwright.inference.engine import Engine

TRIES = 3  # of a share of one step, before all is given up

Weights = Mapping[str, Mapping[str, Tensor]]


class RayWorker:
    """What runs in a process of Ray."""

    def __init__(self, worker: RolloutWorker, network: Any, stop_ids: Sequence[int], threads: int) -> None:
        use_threads(threads)
        self.worker = replace(worker, engine=Engine(network, stop_ids))

    def collect(
        self, weights: Weights, prompts: Sequence[Sequence[int]], salt: Sequence[object], first: int
    ) -> Rollout:
        """Answers a share of a step's prompts, whose first is number `first` of all."""
        for name, part in _parts(self.worker).items():
            part.load_state_dict(weights[name])
        return self.worker.collect(prompts, *salt, first=first)


class RayPool:
    """`count` workers. Made by `ray_pool`."""

    def __init__(self, ray: Any, worker: RolloutWorker, stop_ids: Sequence[int], count: int, threads: int) -> None:
        network = worker.engine.network
        sent = replace(worker, engine=None)  # pyright: ignore[reportArgumentType]  (each makes its own)
        self._ray, self._made = ray, ray.put((sent, network, stop_ids, threads))
        self._workers = [self._start() for _ in range(count)]

    def collect(self, worker: RolloutWorker, prompts: Sequence[Sequence[int]], *salt: object) -> Rollout:
        weights = self._ray.put({name: _whole(part) for name, part in _parts(worker).items()})
        jobs = [
            (place, [list(prompts[i]) for i in share], share.start)
            for place, share in enumerate(shares(len(prompts), len(self._workers)))
            if len(share)
        ]
        begun = [self._workers[place].collect.remote(weights, mine, salt, first) for place, mine, first in jobs]
        parts = [self._finish(answer, weights, salt, *job) for answer, job in zip(begun, jobs, strict=True)]
        return joined(parts, worker.pad).to(device_of(worker.engine.network))

    def _finish(
        self, answer: Any, weights: Any, salt: Sequence[object], place: int, mine: list[list[int]], first: int
    ) -> Rollout:
        """A share's answers, from another worker where the one that had it has died."""
        for _ in range(TRIES):
            try:
                return self._ray.get(answer)
            except self._ray.exceptions.RayActorError:
                say(f"rollout worker {place + 1} has ended; another answers its prompts")
                self._workers[place] = self._start()
                answer = self._workers[place].collect.remote(weights, mine, salt, first)
        raise ProcessLost(f"answers of rollout worker {place + 1}", f"none: it ended {TRIES} times",
                          "See Ray's log of it; the same command goes on from the last checkpoint.")  # fmt: skip

    def _start(self) -> Any:
        return self._ray.remote(RayWorker).remote(*self._ray.get(self._made))


@contextmanager
def ray_pool(worker: RolloutWorker, stop_ids: Sequence[int], count: int, threads: int) -> Generator[RayPool]:
    """A pool on the Ray that RAY_ADDRESS names, or on one that is begun here and ends with the block.

    Raises `ResourceError` when Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ResourceError("Ray for rollout workers", "none", "pip install 'gptwright[ray]'") from error
    ray.init(include_dashboard=False, log_to_driver=False, ignore_reinit_error=True, logging_level="ERROR")
    try:
        yield RayPool(ray, worker, stop_ids, count, threads)
    finally:
        ray.shutdown()


def _parts(worker: RolloutWorker) -> dict[str, nn.Module]:
    """What learns."""
    value: Any = worker.value
    return {"network": worker.engine.network} | ({} if value is None else {"value": value})


def _whole(part: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in part.state_dict().items()}
