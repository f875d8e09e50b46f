"""Two workers on Ray, one of them killed in the middle: the same bits."""

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
import torch

from gptwright.alignment.ray_pool import STARTS, RayPool, RayWorker, learning, ray_pool
from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_pool import joined
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.foundations.errors import ResourceError
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


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ResourceError, match=r"Ray for rollout workers; got none") as error,
        ray_pool(fresh_worker(), 2, 1),
    ):
        pass
    assert "gptwright[ray]" in str(error.value)


class SlowRay(ModuleType):
    """A Ray whose node starts in time after so many failures."""

    def __init__(self, failures: int) -> None:
        super().__init__("ray")
        self.failures, self.begun, self.ended = failures, 0, 0

    def init(self, **_: object) -> None:
        self.begun += 1
        if self.begun <= self.failures:
            raise Exception("The current node timed out during startup.")  # as Ray does

    def shutdown(self) -> None:
        self.ended += 1

    def remote(self, made: Any) -> Any:
        return type("Remote", (), {"remote": staticmethod(lambda *_: None)})


@pytest.mark.parametrize("failures", [0, 1])
def test_a_ray_that_was_too_slow_is_started_again(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    ray = SlowRay(failures)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with ray_pool(fresh_worker(), 2, 1):
        pass
    assert (ray.begun, ray.ended) == (1 + failures, 1 + failures)


def test_a_ray_that_does_not_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SlowRay(STARTS))
    with pytest.raises(ResourceError, match=r"timed out during startup") as error, ray_pool(fresh_worker(), 2, 1):
        pass
    assert "RAY_ADDRESS=auto" in str(error.value)


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
