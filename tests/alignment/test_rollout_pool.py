"""A rollout that several made is the one that one makes."""

from dataclasses import replace

import pytest
import torch

from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_pool import Processes, joined, shares
from gptwright.alignment.rollout_worker import RolloutPool, RolloutWorker
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.training.distributed.world import ALONE

PROMPTS = [[3, 5], [7, 9, 11, 13, 15], [4], [8, 8, 8], [21, 22]]


@pytest.fixture
def worker(network: GPT2) -> RolloutWorker:
    return RolloutWorker(engine=Engine(network, [2]), sampling=Sampling(max_tokens=7, temperature=1.0), pad=0, seed=3)


def alike(one: Rollout, other: Rollout) -> None:
    for name in Rollout.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_shares_joined_are_the_whole(worker: RolloutWorker, parts: int) -> None:
    found = [
        worker.collect(PROMPTS[mine.start : mine.stop], "step", first=mine.start)
        for mine in shares(len(PROMPTS), parts)
    ]
    alike(joined(found, worker.pad), worker.collect(PROMPTS, "step"))


@pytest.mark.parametrize(("count", "parts"), [(7, 3), (2, 5), (0, 2), (8, 2)])
def test_shares(count: int, parts: int) -> None:
    found = shares(count, parts)
    assert [i for share in found for i in share] == list(range(count)) and len(found) == parts
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_one_process_answers_all(worker: RolloutWorker) -> None:
    pool = Processes(ALONE)
    assert isinstance(pool, RolloutPool)
    alike(pool.collect(worker, PROMPTS, 4), worker.collect(PROMPTS, 4))


def test_another_place_draws_other_numbers(worker: RolloutWorker) -> None:
    warm = replace(worker, sampling=replace(worker.sampling, temperature=3.0))
    same = [warm.collect([[3, 5]], "a", first=first).tokens.tolist() for first in (0, 1, 0)]
    assert same[0] == same[2] != same[1]
