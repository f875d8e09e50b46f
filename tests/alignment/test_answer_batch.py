"""What the answers of a prompt share is read once, and nothing else changes: rewards, gradients, every family."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt, common_lengths
from gptwright.alignment.rankings import RankedIds
from gptwright.models.catalogue import build
from gptwright.models.config import ModelConfig
from gptwright.models.gpt1 import GPT1Config
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.heads import RewardModel
from gptwright.models.llama import LlamaConfig
from gptwright.models.modern import ModernConfig
from gptwright.training.batches import WIDTHS

CONTEXT = 27  # no multiple of what batches are padded to
SIZES: Mapping[str, Any] = {"vocab": 50, "context": CONTEXT, "width": 32, "heads": 2, "layers": 3}
MODELS: dict[str, ModelConfig] = {
    "gpt1": GPT1Config(**SIZES),
    "gpt2": GPT2Config(**SIZES),
    "gpt3 banded": GPT3Config(**SIZES, reach=4),
    "gpt3 strided": GPT3Config(**SIZES, reach=3, sparse="strided"),
    "llama": LlamaConfig(**SIZES, kv_heads=1, hidden=64),
    "modern": ModernConfig(**SIZES, kv_heads=1),
}


def ranked(prompt: int, *answers: int) -> RankedIds:
    """A prompt and answers of so many tokens, drawn anew for each prompt; the answers begin differently."""
    dice = torch.Generator().manual_seed(prompt)
    begin = torch.randint(9, 50, (prompt,), generator=dice).tolist()
    more = (torch.randint(9, 50, (size - 1,), generator=dice).tolist() for size in answers)
    return RankedIds([[*begin, number, *end] for number, end in enumerate(more)], [*range(1, len(answers) + 1)])


ITEMS = [ranked(12, 3, 7, 1, 2, 7), ranked(20, 7, 7, 2), ranked(17, *[5] * 9), ranked(0, 9, 4), ranked(26, 1, 1)]


def whole(items: list[RankedIds]) -> AnswerBatch:
    """The same with every answer read from its beginning."""
    return AnswerBatch.split(items, [0] * len(items), 0)


def read(model: RewardModel, batch: AnswerBatch) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    rewards = model.head(batch.states(model))
    (rewards * torch.linspace(-1, 1, len(rewards))).sum().backward()
    return rewards.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", MODELS)
def test_rewards_and_gradients_are_those_of_answers_read_whole(name: str) -> None:
    model = RewardModel(build(MODELS[name], seed=1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2, generator=torch.Generator().manual_seed(parameter.numel()))
    shared = AnswerBatch.of_items(ITEMS, 0)
    assert shared.beginnings.shape[1] and not whole(ITEMS).beginnings.numel()
    (found, gradients), (expected, theirs) = read(model, shared), read(model, whole(ITEMS))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == theirs.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(gradient, theirs[key], atol=1e-5 * max(1.0, float(theirs[key].abs().max())),
                                   rtol=1e-4, msg=key)  # fmt: skip


def test_neither_padding_nor_other_prompts_change_a_reward() -> None:
    model = RewardModel(build(MODELS["gpt2"], seed=1))
    torch.nn.init.normal_(model.head.score.weight)
    rewards = by_prompt(model.head(AnswerBatch.of_items(ITEMS, 0).states(model)), AnswerBatch.of_items(ITEMS, 0).ranks)
    for item, row in zip(ITEMS, rewards, strict=True):
        alone = model.head(AnswerBatch.of_items([item], 7).states(model))
        torch.testing.assert_close(row[: len(alone)], alone, atol=1e-5, rtol=1e-5)
        assert not row[len(alone) :].any()


def test_a_batch_of_ragged_rankings() -> None:
    one = RankedIds([[5, 6, 7, 8], [5, 6, 7, 9, 8], [5, 6, 7, 9]], [3, 2, 1])
    other = RankedIds([[5, *[4] * 9], [5, *[4] * 8, 3]], [1, 2])
    batch = AnswerBatch.of_items([one, other], pad=0)
    assert common_lengths([one, other]) == [3, 9] == batch.lengths.tolist()
    assert batch.endings.shape == (5, WIDTHS)  # 2 beginnings of 16 and 5 endings of 8 are fewer than 5 rows of 16
    assert batch.endings[:, :2].tolist() == [[8, 0], [9, 8], [9, 0], [4, 0], [3, 0]]
    assert batch.last.tolist() == [0, 1, 0, 0, 0] and batch.counts == [3, 2]
    assert batch.ranks.tolist() == [[3, 2, 1], [1, 2, 0]]
    assert by_prompt(torch.arange(1.0, 6), batch.ranks).tolist() == [[1, 2, 3], [4, 5, 0]]


def test_short_prompts_are_read_with_each_answer() -> None:
    batch = AnswerBatch.of_items([RankedIds([[5, 6], [5, 6, 7]], [2, 1]), RankedIds([[8], [9], [4, 4]], [1, 2, 2])], 0)
    assert batch.beginnings.shape == (2, 0) and batch.lengths.tolist() == [0, 0]
    assert batch.endings[:, :3].tolist() == [[5, 6, 0], [5, 6, 7], [8, 0, 0], [9, 0, 0], [4, 4, 0]]
    assert batch.last.tolist() == [1, 2, 0, 0, 1] and batch.tokens == 5 * WIDTHS
