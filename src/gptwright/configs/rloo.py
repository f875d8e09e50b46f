"""Options of rloo."""

from gptwright.configs.grpo import GroupOptions
from gptwright.foundations.settings import Weight, settings


@settings
class RLOO(GroupOptions):
    """Improve a policy by REINFORCE, with the other answers to a prompt as the baseline."""

    beta: Weight = 0.06
    """weight of the KL to the reference, in the reward of the answer"""
