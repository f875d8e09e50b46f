"""One number from a trunk: the reward of a whole answer, the value of every position."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.models.decoder import Decoder


class ScalarHead(nn.Module):
    """hidden → one number. Starts at zero: indifferent (Huang et al. 2023, detail 11)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B"]:
        return self.score(hidden.float()).squeeze(-1)


class PolicyAndValue(nn.Module):
    """A policy and its value head on a shared trunk."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy
        self.value = ScalarHead(policy.config.width)


class RewardModel(nn.Module):
    """A decoder whose last state is read as one number: how good the answer is (Ouyang et al. 2022, §3.5)."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        assert isinstance(trunk, Decoder)
        self.trunk = trunk
        self.config = trunk.config
        self.head = ScalarHead(trunk.config.width)

    def forward(self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"]) -> Float[Tensor, "B"]:
        """`last` is the position of each row's final real token; what stands behind it changes nothing."""
        return self.head(self.states(ids, last))

    def states(self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"]) -> Float[Tensor, "B C"]:
        """What the head sees: the trunk's state at each row's last token, in float32."""
        hidden = self.trunk.hidden(ids)  # pyright: ignore[reportCallIssue]
        return hidden[torch.arange(len(ids), device=hidden.device), last].float()
