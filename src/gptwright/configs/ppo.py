"""Options of ppo."""

from typing import Annotated

from gptwright.configs.policy import RolloutOptions
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.processes import several
from gptwright.foundations.settings import Range, Weight, settings


@settings
class PPO(RolloutOptions):
    """Improve a policy with a reward model, a rule, or both."""

    value_weight: Weight = 0.1
    """weight of the value loss"""
    rollout_workers: Annotated[int, Range(0, 1024)] = 0
    """processes of Ray that answer the prompts; 0: this one does"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rollout_workers and several():
            raise ConfigError("rollout_workers or torchrun", "both", "Take the workers, or let torchrun's share.")
