"""Options of ppo."""

from gptwright.configs.policy import RolloutOptions
from gptwright.foundations.settings import Weight, settings


@settings
class PPO(RolloutOptions):
    """Improve a policy with a reward model, a rule, or both."""

    value_weight: Weight = 0.1
    """weight of the value loss"""
