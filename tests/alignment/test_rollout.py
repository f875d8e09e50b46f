from typing import Any

import pytest
import torch
from torch import nn

from gptwright.alignment.frozen_passes import score
from gptwright.alignment.rollout import Rollout, alike, collect_rollout, pack_rollout, recompute_logprobs
from gptwright.inference.engine import Engine
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.decoder import Decoder
from gptwright.models.gpt1 import GPT1Config
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.heads import Critic, RewardModel, ScalarHead
from gptwright.models.llama import LlamaConfig
from gptwright.objectives.ppo import kl_estimates

PROMPTS = [[5, 6, 7], [9], [4, 8, 15, 16, 23]]


SIZES: dict[str, Any] = {"vocab": 60, "context": 24, "width": 32, "layers": 2, "heads": 4}


@pytest.fixture(params=[GPT1Config(**SIZES), GPT2Config(**SIZES), GPT3Config(**SIZES, reach=4),
                        LlamaConfig(**SIZES, kv_heads=2, hidden=48)], ids=lambda config: config.family)  # fmt: skip
def network(request: pytest.FixtureRequest) -> Decoder:
    """Of every family, with weights large enough that every part shows."""
    found = build(request.param, seed=3).requires_grad_(False)
    for parameter in found.parameters():
        parameter.mul_(3)
    return found


@pytest.fixture
def head() -> ScalarHead:
    found = ScalarHead(32).requires_grad_(False)
    nn.init.normal_(found.score.weight)
    return found


def rolled(network: Decoder, head: ScalarHead, temperature: float = 0.8) -> Rollout:
    sampling = Sampling(temperature=temperature, max_tokens=9, seed=2)
    return collect_rollout(Engine(network, [17, 40]), head, PROMPTS, sampling, pad=1)


def test_prompts_and_answers_stand_where_they_should() -> None:
    requests = [
        Request([5, 6, 7, 10, 11], Sampling(), 0, prompt=3, sampled_logprobs=[-0.1, -0.2], finish="stop"),
        Request([9, 12, 13, 14], Sampling(), 0, prompt=1, sampled_logprobs=[-0.3, -0.4, -0.5], finish="length"),
    ]
    found = pack_rollout([[5, 6, 7], [9]], requests, pad=1)
    assert found.ids.tolist() == [[5, 6, 7, 10, 11], [9, 12, 13, 14, 1]]
    assert found.tokens.tolist() == [[10, 11, 1], [12, 13, 14]]
    assert found.response_mask.int().tolist() == [[1, 1, 0], [1, 1, 1]]
    assert found.prompt_lengths.tolist() == [3, 1]
    assert found.last.tolist() == [4, 3]
    assert found.ended.tolist() == [True, False]
    torch.testing.assert_close(found.sampled, torch.tensor([[-0.1, -0.2, 0.0], [-0.3, -0.4, -0.5]]))
    some = found.rows(torch.tensor([1]))
    assert len(some) == 1
    assert some.tokens.tolist() == [[12, 13, 14]]


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_reading_again_gives_what_was_noted_while_sampling(
    network: Decoder, head: ScalarHead, temperature: float
) -> None:
    rollout = rolled(network, head, temperature)
    logprobs, values, entropy = recompute_logprobs(network, head, rollout, temperature)
    torch.testing.assert_close(logprobs, rollout.logprobs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logprobs, rollout.sampled, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(values, rollout.values, atol=1e-5, rtol=1e-5)
    assert (entropy[rollout.response_mask] > 0).all()
    assert kl_estimates(logprobs, logprobs, rollout.response_mask) == (0.0, 0.0)
    other = recompute_logprobs(network, head, rollout, temperature + 1)[0]
    assert (other - rollout.logprobs).abs().max() > 0.01, "the temperature belongs to the policy"


def test_padding_changes_nothing(network: Decoder, head: ScalarHead) -> None:
    rollout = rolled(network, head)
    whole = recompute_logprobs(network, head, rollout, 0.8)
    wide = Rollout(
        ids=torch.cat([rollout.ids, torch.full((3, 6), 33)], 1),
        prompt_lengths=rollout.prompt_lengths,
        tokens=torch.cat([rollout.tokens, torch.full((3, 4), 3)], 1),
        response_mask=torch.cat([rollout.response_mask, torch.zeros(3, 4, dtype=torch.bool)], 1),
        sampled=torch.cat([rollout.sampled, torch.zeros(3, 4)], 1),
        logprobs=torch.cat([rollout.logprobs, torch.zeros(3, 4)], 1),
        entropy=torch.cat([rollout.entropy, torch.zeros(3, 4)], 1),
        values=torch.cat([rollout.values, torch.zeros(3, 4)], 1),
        ended=rollout.ended,
        places=rollout.places,
        contents=rollout.contents,
    )
    columns = rollout.tokens.shape[1]
    for narrow, found in zip(whole, recompute_logprobs(network, head, wide, 0.8), strict=True):
        torch.testing.assert_close(found[:, :columns], narrow, atol=1e-5, rtol=1e-5)
        assert not found[:, columns:].any()
    for row in range(3):
        alone = recompute_logprobs(network, head, rollout.rows(torch.tensor([row])), 0.8)
        for narrow, found in zip(whole, alone, strict=True):
            torch.testing.assert_close(found[0], narrow[row], atol=1e-5, rtol=1e-5)


def test_rows_of_like_length_are_read_together() -> None:
    lengths = torch.tensor([*[20] * 7, 3, 33, *[16] * 8, 32])
    found = {width: sorted(lengths[rows].tolist()) for rows, width in alike(lengths)}
    assert found == {16: [3, *[16] * 7], 32: [16, *[20] * 7], 48: [32, 33]}
    assert sorted(torch.cat([rows for rows, _ in alike(lengths)]).tolist()) == list(range(18))
    assert [(len(rows), width) for rows, width in alike(torch.full((20,), 7))] == [(20, 16)]


def test_rows_read_apart_are_read_as_if_together(network: Decoder, head: ScalarHead) -> None:
    prompts = [list(range(2, 3 + length % 15)) for length in range(20)]
    rollout = collect_rollout(Engine(network, [17, 40]), head, prompts, Sampling(max_tokens=9, seed=2), pad=1)
    assert len(list(alike(rollout.last))) > 1
    logprobs, values, _ = recompute_logprobs(network, head, rollout, 1.0)
    for row, (prompt, length) in enumerate(zip(rollout.prompt_lengths, rollout.last + 1, strict=True)):
        states = network.hidden(rollout.ids[None, row, :length])[0, prompt - 1 : -1]
        wanted = network.logits(states).log_softmax(-1)[range(length - prompt), rollout.ids[row, prompt:length]]
        torch.testing.assert_close(logprobs[row, : length - prompt], wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(values[row, : length - prompt], head(states), atol=1e-5, rtol=1e-5)
    model = RewardModel(network)
    model.head = head
    torch.testing.assert_close(score(model, rollout), model(rollout.ids, rollout.last), atol=1e-5, rtol=1e-5)


def test_without_a_value_head_there_are_no_values(network: Decoder, head: ScalarHead) -> None:
    assert not recompute_logprobs(network, None, rolled(network, head), 0.8)[1].any()


def test_gradients_reach_policy_and_value_head(network: Decoder, head: ScalarHead) -> None:
    rollout = rolled(network, head)
    network.requires_grad_(True)
    head.requires_grad_(True)
    logprobs, values, _ = recompute_logprobs(network, head, rollout, 0.8)
    (logprobs.sum() + values.sum()).backward()
    assert all(p.grad is not None and p.grad.any() for p in [*network.parameters(), *head.parameters()])


def test_the_reward_is_read_at_the_last_token_said(network: Decoder, head: ScalarHead) -> None:
    model = RewardModel(network)
    model.head = head
    rollout = rolled(network, head)
    found = score(model, rollout)
    for row in range(3):
        ids = rollout.ids[row, : int(rollout.last[row]) + 1]
        torch.testing.assert_close(found[row], model(ids[None], torch.tensor([len(ids) - 1]))[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sampling", [Sampling(top_k=3), Sampling(top_p=0.5)])
def test_nothing_may_be_cut_from_the_policys_distribution(
    network: Decoder, head: ScalarHead, sampling: Sampling
) -> None:
    with pytest.raises(AssertionError):
        collect_rollout(Engine(network), head, PROMPTS, sampling, pad=1)


def test_a_critic_of_its_own_says_at_the_last_token_what_the_reward_model_says_in_the_rewards_scale(
    network: Decoder, head: ScalarHead
) -> None:
    model = RewardModel(build(GPT2Config(**SIZES), seed=9))
    model.head = head
    rollout = rolled(network, head)
    with torch.no_grad():
        logprobs, values, _ = recompute_logprobs(network, Critic(model, mean=0.5, std=2.0), rollout, 0.8)
        states = model.trunk.hidden(rollout.ids)[torch.arange(3), rollout.last - 1]
        wanted = (head(states) - 0.5) / 2.0
    torch.testing.assert_close(logprobs, rollout.logprobs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(values[torch.arange(3), rollout.response_mask.sum(1) - 1], wanted)
