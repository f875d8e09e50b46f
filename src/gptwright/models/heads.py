"""What is read from a decoder's states besides the next token: a value everywhere, labels at the end of a sequence."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.models.decoder import Decoder


class ClassHead(nn.Module):
    """hidden → one logit for each class. Starts at zero: all are equally likely."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, classes, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B N"]:
        return self.score(hidden.float())


class ScalarHead(ClassHead):
    """hidden → one number. Starts at zero: indifferent (Huang et al. 2023, detail 11)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 1)

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B"]:
        return super().forward(hidden).squeeze(-1)


class PolicyAndValue(nn.Module):
    """A policy and its value head on a shared trunk."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy
        self.value = ScalarHead(policy.config.width)


class SequenceModel(nn.Module):
    """A decoder whose state at the last token of each row is read by a head, as `…ForSequenceClassification` has it."""

    head: nn.Module

    def __init__(self, trunk: nn.Module, labels: Sequence[str]) -> None:
        super().__init__()
        assert isinstance(trunk, Decoder)
        self.trunk = trunk
        self.config = trunk.config
        self.labels = tuple(labels)
        """names of what the head gives, in order"""

    def states(self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"]) -> Float[Tensor, "B C"]:
        """What the head sees: the trunk's state at each row's last token, in float32."""
        hidden = self.trunk.hidden(ids)  # pyright: ignore[reportCallIssue]
        return hidden[torch.arange(len(ids), device=hidden.device), last].float()

    def forward(self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"]) -> Float[Tensor, "B *N"]:
        """What the head says. `last` is the position of each row's final real token; what stands behind it changes
        nothing."""
        return self.head(self.states(ids, last))


class RewardModel(SequenceModel):
    """How good a whole response is, as one number (Ouyang et al. 2022, §3.5)."""

    def __init__(self, trunk: nn.Module, labels: Sequence[str] = ("reward",)) -> None:
        super().__init__(trunk, labels)
        self.head = ScalarHead(self.config.width)


class Classifier(SequenceModel):
    """Which of the `labels` a sequence has, by a logit each (Radford et al. 2018, §3.2, the head alone)."""

    def __init__(self, trunk: nn.Module, labels: Sequence[str]) -> None:
        super().__init__(trunk, labels)
        self.head = ClassHead(self.config.width, len(labels))


def with_head(trunk: nn.Module, labels: Sequence[str]) -> SequenceModel:
    """The model that has these labels: a reward model has one, a classifier more."""
    return (RewardModel if len(labels) == 1 else Classifier)(trunk, labels)
