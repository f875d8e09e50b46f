"""A prompt read once for its answers says what it says when it is read with each of them."""

from typing import Any

import pytest
import torch
from torch import nn

import gptwright.alignment.frozen_passes as frozen
from gptwright.alignment.rollout import Rollout, answer_states, collect_rollout, recompute_logprobs
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.heads import RewardModel
from gptwright.models.llama import LlamaConfig

SIZES: dict[str, Any] = {"vocab": 60, "context": 32, "width": 32, "layers": 2, "heads": 4}
LONG, SHORT, BESIDE = [*range(3, 21)], [9], [*range(3, 20), 7]


@pytest.fixture(params=[GPT2Config(**SIZES), GPT3Config(**SIZES, reach=4), LlamaConfig(**SIZES, kv_heads=2, hidden=48)],
                ids=lambda config: config.family)  # fmt: skip
def network(request: pytest.FixtureRequest) -> Any:
    found = build(request.param, seed=3).requires_grad_(False)
    for parameter in found.parameters():
        parameter.mul_(3)
    return found


def answers(network: Any, prompts: list[list[int]]) -> Rollout:
    return collect_rollout(Engine(network, [17, 40]), None, prompts, Sampling(max_tokens=9, seed=2), pad=1)


def test_answers_side_by_side(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = answers(network, [LONG] * 5 + [BESIDE] * 4 + [SHORT] + [LONG] * 2)
    assert frozen.firsts(rollout).tolist() == [0, 5, 9, 10]
    reward = RewardModel(network)
    nn.init.normal_(reward.head.score.weight)
    with torch.no_grad():
        whole = recompute_logprobs(network, None, rollout, 0.8)[0]
        scores = reward(rollout.ids, rollout.last)
    monkeypatch.setattr(frozen, "answer_states", None)  # it is not asked
    torch.testing.assert_close(frozen.reference_logprobs(network, rollout, 0.8), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(frozen.score(reward, rollout), scores, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("prompts", [[LONG, SHORT, BESIDE], [SHORT] * 4, [LONG]])
def test_where_nothing_is_shared_each_is_read_whole(network: Any, prompts: list[list[int]]) -> None:
    rollout = answers(network, prompts)
    assert torch.equal(frozen.frozen_states(network, rollout), answer_states(network, rollout))
