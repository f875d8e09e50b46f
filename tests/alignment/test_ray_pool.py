"""Two workers on Ray, one of them killed in the middle: the same bits."""

from collections.abc import Iterator
from importlib import import_module

import pytest
import torch

from gptwright.alignment.ray_pool import RayPool, RayWorker, learning, ray_pool
from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_pool import joined
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.heads import ScalarHead

PROMPTS = [[3, 5], [7, 9, 11, 13, 15], [4], [8, 8, 8], [21, 22]]


def fresh_worker() -> RolloutWorker:
    torch.manual_seed(3)
    network = GPT2(GPT2Config(vocab=40, context=32, width=16, heads=2, layers=2)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    head = ScalarHead(16)
    torch.nn.init.normal_(head.score.weight)
    sampling = Sampling(max_tokens=6, temperature=1.0)
    return RolloutWorker(engine=Engine(network, [2]), sampling=sampling, pad=0, seed=3, value_head=head)


def halves(worker: RolloutWorker, salt: object) -> Rollout:
    """What two answer, without Ray."""
    return joined([worker.collect(PROMPTS[:2], salt), worker.collect(PROMPTS[2:], salt, first=2)], worker.pad)


def same_bits(one: Rollout, other: Rollout) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in Rollout.__dataclass_fields__)


def test_a_worker_takes_the_weights_that_it_is_sent() -> None:
    one = fresh_worker()
    fields = {name: getattr(one, name) for name in ("sampling", "pad", "seed")}
    other = RayWorker({**fields, "value_head": ScalarHead(16)}, GPT2(one.engine.network.config).eval(), [2], 1)
    weights = {name: part.state_dict() for name, part in learning(one).items()}
    assert same_bits(other.collect(weights, PROMPTS[2:], (7,), 2), one.collect(PROMPTS[2:], 7, first=2))


@pytest.fixture(scope="module")
def pool() -> Iterator[RayPool]:
    with ray_pool(fresh_worker(), 2, 1) as pool:
        yield pool


@pytest.mark.ray
def test_two_answer_with_the_weights_of_now(pool: RayPool) -> None:
    worker = fresh_worker()
    assert same_bits(pool.collect(worker, PROMPTS, 1), halves(worker, 1))
    with torch.no_grad():
        worker.engine.network.norm.weight.mul_(1.5)
    assert same_bits(pool.collect(worker, PROMPTS, 1), halves(worker, 1))


@pytest.mark.ray
def test_one_is_killed_and_another_gives_the_same_bits(pool: RayPool, capsys: pytest.CaptureFixture[str]) -> None:
    worker = fresh_worker()
    dead = pool.workers[1]
    import_module("ray").kill(dead)
    assert same_bits(pool.collect(worker, PROMPTS, 2), halves(worker, 2))
    assert "rollout worker 2 has ended; another answers its prompts" in capsys.readouterr().err
    assert pool.workers[1] is not dead
