"""What is read from a model's states besides the next token: a value everywhere, labels of a whole sequence."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.models.bert import BERT
from gptwright.models.config import config_of
from gptwright.models.decoder import Decoder
from gptwright.tokenizers.task_shapes import TaskShape


class ClassHead(nn.Module):
    """hidden → one logit for each class. Starts at zero: all are equally likely."""

    def __init__(self, width: int, classes: int, *, bias: bool = False) -> None:
        super().__init__()
        self.score = nn.Linear(width, classes, bias=bias)
        for parameter in self.score.parameters():
            nn.init.zeros_(parameter)

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B N"]:
        return self.score(hidden.float())


class ScalarHead(ClassHead):
    """hidden → one number. Starts at zero: indifferent (Huang et al. 2023, detail 11)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 1)

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B"]:
        return super().forward(hidden).squeeze(-1)


class RewardHead(ScalarHead):
    """hidden → one number above or below the `mean` of what people would have said, once that was measured."""

    def __init__(self, width: int, mean: float = 0.0) -> None:
        super().__init__(width)
        self.mean = mean

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B"]:
        return super().forward(hidden) - self.mean


class SequenceModel(nn.Module):
    """A decoder whose state at the last token of each row is read by a head, as `…ForSequenceClassification` has it."""

    head: Any
    trunk_type: type[nn.Module] = Decoder

    def __init__(
        self, trunk: nn.Module, labels: Sequence[str], shape: TaskShape | None = None, *, several: bool = False
    ) -> None:
        super().__init__()
        assert isinstance(trunk, self.trunk_type)
        self.trunk: Any = trunk
        self.config = config_of(trunk)
        self.labels = tuple(labels)
        """names of what the head gives, in order"""
        self.shape = shape
        """how an example is written; None where a row is the text alone"""
        self.several = several
        """each label is true or not by itself; else just one of them is"""

    def hidden(
        self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T C"]:
        """The trunk's states of all tokens; what stands behind a row's `last` one changes nothing before it."""
        return self.trunk.hidden(ids)

    def summary(self, hidden: Float[Tensor, "B T C"], last: Int[Tensor, "B"]) -> Float[Tensor, "B C"]:
        """What the head sees of these states: that at each row's last token, in float32."""
        return hidden[torch.arange(len(hidden), device=hidden.device), last].float()

    def states(
        self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B C"]:
        """What the head sees of each row."""
        return self.summary(self.hidden(ids, last, segments), last)

    def forward(
        self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B *N"]:
        """What the head says. `last` is the position of each row's final real token, `segments` are an encoder's."""
        return self.head(self.states(ids, last, segments))

    def probabilities(self, logits: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
        """Of the labels, by their logits."""
        return logits.sigmoid() if self.several else logits.softmax(-1)


class RewardModel(SequenceModel):
    """How good a whole response is, as one number (Ouyang et al. 2022, §3.5)."""

    def __init__(self, trunk: nn.Module, labels: Sequence[str] = ("reward",), mean: float = 0.0) -> None:
        super().__init__(trunk, labels)
        self.head = RewardHead(self.config.width, mean)


class Critic(nn.Module):
    """A value model of its own, begun from a reward model (Ouyang et al. 2022, App. C.4).

    It says at every token what the reward model says at the last, in `std` from `mean` as the rewards are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: RewardModel, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def scale(self, mean: float, std: float) -> None:
        """From now on in these units."""
        self.mean.fill_(mean)
        self.std.fill_(std)

    def forward(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B"]:
        """The values of states of its own trunk."""
        return (self.model.head(hidden) - self.mean) / self.std


class PolicyAndValue(nn.Module):
    """A policy and what it expects: by a value head on its own trunk, or by a critic."""

    def __init__(self, policy: Any, critic: Critic | None = None) -> None:
        super().__init__()
        self.policy = policy
        self.value = critic or ScalarHead(policy.config.width)


class Classifier(SequenceModel):
    """Which of the `labels` a sequence has, by a logit each (Radford et al. 2018, §3.2)."""

    def __init__(
        self, trunk: nn.Module, labels: Sequence[str], shape: TaskShape | None = None, *, several: bool = False
    ) -> None:
        super().__init__(trunk, labels, shape, several=several)
        self.head = ClassHead(self.config.width, len(labels))


class EncoderClassifier(SequenceModel):
    """The same of an encoder: the head, with a bias, reads the pooled state of [CLS] (Devlin et al. 2018, §4.1).

    The heads of pretraining go.
    """

    trunk_type = BERT

    def __init__(
        self, trunk: nn.Module, labels: Sequence[str], shape: TaskShape | None = None, *, several: bool = False
    ) -> None:
        super().__init__(trunk, labels, shape, several=several)
        self.trunk.masked = self.trunk.next = None
        self.head = ClassHead(self.config.width, len(labels), bias=True)

    def hidden(
        self, ids: Int[Tensor, "B T"], last: Int[Tensor, "B"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T C"]:
        return self.trunk.encode(ids, segments, last + 1)

    def summary(self, hidden: Float[Tensor, "B T C"], last: Int[Tensor, "B"]) -> Float[Tensor, "B C"]:
        """The pooled first state, in float32. Raises `ArtifactError` for a model without a pooler."""
        return self.trunk.pooled(hidden).float()


def with_head(
    trunk: nn.Module,
    labels: Sequence[str],
    shape: TaskShape | None = None,
    *,
    several: bool = False,
    mean: float = 0.0,
) -> SequenceModel:
    """The model that has these labels, of which one is true or `several` may be; one number of a decoder, where nothing
    says otherwise, is a reward, of which `mean` is taken off."""
    if isinstance(trunk, BERT):
        return EncoderClassifier(trunk, labels, shape, several=several)
    if len(labels) == 1 and shape is None and not several:
        return RewardModel(trunk, labels, mean)
    return Classifier(trunk, labels, shape, several=several)
