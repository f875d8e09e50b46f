"""Reward sources: the scale of a model's scores, a program's own numbers, and their sum."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rewards import LOWEST_SCORE, NormalizedReward, ProgramReward, WeightedSum
from gptwright.alignment.rollout import Rollout, pack_rollout
from gptwright.foundations.errors import InputError
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.heads import RewardModel
from gptwright.text.jsonl import Line
from gptwright.tokenizers.tokenizer import Tokenizer

TINY = GPT2Config(vocab=12, context=8, width=16, heads=2, layers=1)
PROMPTS = [Prompt(Line({"words": i}, ""), [], [3, 4]) for i in range(24)]


@pytest.fixture(scope="module")
def rollout() -> Rollout:
    sampling = Sampling(temperature=1.0, max_tokens=3, sampled_logprobs=True)
    return pack_rollout(PROMPTS, Engine(build(TINY, seed=4), [2]).generate(PROMPTS, sampling), 1)


def test_rewards_start_at_mean_0_and_spread_1_and_no_end_has_a_fixed_one(rollout: Rollout) -> None:
    model = RewardModel(build(TINY, seed=2))
    torch.nn.init.normal_(model.head.score.weight)
    fitted = NormalizedReward.fitted(model, rollout)
    scores = fitted(replace(rollout, ended=torch.ones_like(rollout.ended)), PROMPTS)
    assert float(scores.mean()) == pytest.approx(0, abs=1e-4)
    assert float(scores.std(unbiased=False)) == pytest.approx(1, abs=1e-4)
    ended = torch.arange(len(rollout)) % 2 == 0
    found = fitted(replace(rollout, ended=ended), PROMPTS)
    assert torch.equal(found[ended], scores[ended]) and (found[~ended] == -1).all()
    assert (replace(fitted, unended=-3.0)(replace(rollout, ended=ended), PROMPTS)[~ended] == -3).all()


def test_a_program_sees_each_answer_as_text_and_its_prompts_line(rollout: Rollout, tokenizer: Tokenizer) -> None:
    seen: list[str] = []
    asked: list[int] = []

    def rule(line: Mapping[str, int], text: str) -> float:
        seen.append(text)
        asked.append(line["words"])
        return [0.5, -99.0][len(seen) % 2]

    scores = ProgramReward(rule, tokenizer)(rollout, PROMPTS)
    first = rollout.tokens[0][rollout.response_mask[0]].tolist()
    assert asked == [prompt.line["words"] for prompt in PROMPTS]
    assert seen == rollout.texts(tokenizer) and seen[0] == tokenizer.decode(first).strip()
    assert scores.tolist() == [LOWEST_SCORE, 0.5] * 12


def test_sources_add_up(rollout: Rollout) -> None:
    both = WeightedSum([(1.0, lambda rollout, prompts: torch.tensor([1.0, 2.0])),
                        (0.5, lambda rollout, prompts: torch.tensor([4.0, -2.0]))])  # fmt: skip
    assert both(rollout, PROMPTS).tolist() == [3.0, 1.0]
    assert WeightedSum(both.parts, limit=2.5)(rollout, PROMPTS).tolist() == [2.5, 1.0]


def test_a_score_that_is_no_number_is_named_with_its_source(rollout: Rollout, tokenizer: Tokenizer) -> None:
    def broken(fields: Mapping[str, Any], text: str) -> float:
        return float("nan")

    model = RewardModel(build(TINY, seed=2))
    with pytest.raises(InputError, match="finite scores from the rule broken; got 24 of 24 that are not"):
        WeightedSum([(1.0, NormalizedReward(model)), (1.0, ProgramReward(broken, tokenizer))])(rollout, PROMPTS)
    torch.nn.init.constant_(model.head.score.weight, torch.inf)
    with pytest.raises(InputError, match="finite scores from the reward model"):
        NormalizedReward.fitted(model, rollout)
    with pytest.raises(InputError, match="finite scores from the reward model"):
        WeightedSum([(1.0, NormalizedReward(model))])(replace(rollout, ended=rollout.ended | True), PROMPTS)
