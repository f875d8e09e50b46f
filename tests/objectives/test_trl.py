"""The losses beside those of TRL's own trainers, called with the same tensors."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import trl
from torch import Tensor
from trl.trainer.utils import nanstd

from gptwright.objectives.dpo import dpo_loss, implicit_rewards
from gptwright.objectives.grpo import group_advantages, grpo_loss
from gptwright.objectives.ranking import ranking_loss
from gptwright.objectives.rloo import rloo_loss

SAMPLES, LENGTHS = 3, [5, 1, 3, 4, 5, 2]
MASK = torch.tensor([[place < length for place in range(5)] for length in LENGTHS])
BOTH = torch.tensor([[1, 2]] * 3)


class Anything(SimpleNamespace):
    """A trainer of which only its settings are asked, and whose records go nowhere."""

    def __getattr__(self, name: str) -> Any:
        return False


def trainer(**settings: Any) -> Anything:
    alone = {"gather": lambda x: x, "gather_for_metrics": lambda x: x, "reduce": lambda x, **_: x, "device": "cpu"}
    metrics = {mode: {name: [] for name in NAMES} for mode in ("train", "eval")}
    return Anything(model=SimpleNamespace(training=True), accelerator=SimpleNamespace(**alone), _metrics=metrics,
                    current_gradient_accumulation_steps=1, _total_train_tokens=0, _tp_size=1, **settings)  # fmt: skip


KINDS = ("mean", "min", "max")
NAMES = ["entropy", "num_tokens", "kl", "mean_token_accuracy", "min_reward", "mean_reward", "max_reward", "accuracy",
         "margin", *(f"{of}/{side}" for of in ("logits", "logps", "rewards") for side in ("chosen", "rejected")),
         "rewards/accuracies", "rewards/margins",
         *(f"clip_ratio/{side}_{kind}" for side in ("low", "high", "region") for kind in KINDS)]  # fmt: skip


def policy(logprobs: Tensor) -> Any:
    """A model whose tokens have these log-probabilities."""
    whole = torch.zeros_like(logprobs)
    return SimpleNamespace(log_probs=logprobs, entropy=whole, mean_logits=whole, is_top1=whole.bool())


def logprobs() -> Tensor:
    return -torch.rand(6, 5) * 2 * MASK


def same(ours: Tensor, theirs: Tensor, of: Tensor) -> None:
    """The same loss, and the same gradient."""
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    mine, given = (torch.autograd.grad(loss, of, retain_graph=True)[0] for loss in (ours, theirs))
    assert mine.abs().max() > 1e-3
    torch.testing.assert_close(mine, given, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_dpo(smoothing: float) -> None:
    """Rows 0 to 2 are chosen, 3 to 5 rejected. Of TRL's losses "aot" alone has Mitchell's ε: that of sorted ratios."""
    new, reference = logprobs().requires_grad_(True), logprobs()
    ids = torch.ones(6, 6, dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": ids, "completion_mask": F.pad(MASK, (1, 0)).long(),
              "ref_chosen_logps": reference[:3].sum(1), "ref_rejected_logps": reference[3:].sum(1)}  # fmt: skip
    kind = "aot" if smoothing else "sigmoid"
    them = trainer(ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_types=[kind],
                   loss_weights=[1.0], beta=0.3, label_smoothing=smoothing)  # fmt: skip
    theirs = trl.DPOTrainer._compute_loss(them, lambda **_: policy(new), inputs, False)
    rewards = implicit_rewards(new.sum(1), reference.sum(1), 0.3).view(2, 3).T
    if smoothing:
        ratio, other = new.sum(1), reference.sum(1)
        first, second = ((x[:3] - x[3:]).sort().values for x in (ratio, other))
        rewards = torch.stack([0.3 * (first - second), torch.zeros(3)], 1)
    same(dpo_loss(rewards, BOTH, smoothing), theirs, new)


@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_grpo(beta: float) -> None:
    new, old, reference = logprobs().requires_grad_(True), logprobs(), logprobs()
    advantage = torch.randn(6)
    inputs = {"prompt_ids": torch.ones(6, 1), "prompt_mask": torch.ones(6, 1), "completion_ids": torch.ones(6, 5),
              "completion_mask": MASK.long(), "advantages": advantage, "old_per_token_logps": old,
              "ref_per_token_logps": reference}  # fmt: skip
    them = trainer(top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
                   beta=beta, loss_type="grpo", epsilon_low=0.2, epsilon_high=0.2,
                   args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
                   _get_per_token_logps_and_entropies=lambda *_, **__: (new, torch.zeros(6, 5), None))  # fmt: skip
    theirs = trl.GRPOTrainer._compute_loss(them, None, inputs)
    same(grpo_loss(new, old, reference, advantage, MASK, beta=beta), theirs, new)


def test_rloo() -> None:
    new, advantage = logprobs().requires_grad_(True), torch.randn(6)
    old = new.detach() + 0.1 * torch.randn(6, 5) * MASK
    inputs = {"prompt_ids": torch.ones(6, 1), "prompt_mask": torch.ones(6, 1), "completion_ids": torch.ones(6, 5),
              "completion_mask": MASK.long(), "advantages": advantage, "old_logps": old.sum(1)}  # fmt: skip
    them = trainer(epsilon_low=0.2, epsilon_high=0.2,
                   _get_per_token_logps_and_entropies=lambda *_, **__: (new, torch.zeros(6, 5), None))  # fmt: skip
    theirs = trl.RLOOTrainer._compute_loss(them, None, inputs)
    same(rloo_loss(new, old, advantage, MASK), theirs, new)


def test_the_pairwise_reward_loss() -> None:
    rewards = torch.randn(6, requires_grad=True)
    inputs = {"input_ids": torch.ones(6, 4), "attention_mask": torch.ones(6, 4)}
    them = trainer(args=SimpleNamespace(center_rewards_coefficient=None))
    theirs = trl.RewardTrainer.compute_loss(them, lambda **_: SimpleNamespace(logits=rewards[:, None]), inputs)
    same(ranking_loss(rewards.view(2, 3).T, BOTH), theirs, rewards)


def test_the_spread_of_a_group_is_theirs() -> None:
    groups = torch.randn(2, SAMPLES)
    theirs = (groups - groups.mean(1, keepdim=True)) / (nanstd(groups, dim=1, keepdim=True) + 1e-4)
    torch.testing.assert_close(group_advantages(groups.flatten(), SAMPLES), theirs.flatten())
