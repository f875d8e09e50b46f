"""Options of grpo, and those that it shares with rloo."""

from typing import Annotated

from gptwright.configs.policy import RolloutOptions
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Range, Weight, settings


@settings
class GroupOptions(RolloutOptions):
    """Of a policy that learns from several answers to each prompt."""

    samples: Annotated[int, Range(2, 10**4)] = 8
    """answers to each prompt, a divisor of the episodes: each is judged beside the others"""
    clip: Annotated[float, Range(0, 10, above=True)] = 0.2
    """how far the probability ratio may be from 1"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.episodes % self.samples:
            raise ConfigError("episodes that are a multiple of samples", f"{self.episodes} and {self.samples}",
                              "Change one of them.")  # fmt: skip


@settings
class GRPO(GroupOptions):
    """Improve a policy by comparing several answers to each prompt, without a value head."""

    beta: Weight = 0.04
    """weight of the KL to the reference, in the loss of every token"""
