"""Options of reward."""

from pathlib import Path

from gptwright.configs.training import AdapterOptions, SupervisedOptions
from gptwright.foundations.settings import Count, Rate, Rows, Seed, Weight, settings


@settings
class Reward(SupervisedOptions, AdapterOptions):
    """Train a reward model on ranked answers."""

    base: Path
    """folder of sft, whose model becomes the trunk"""
    rankings: tuple[Path, ...]
    """JSON Lines of ranked answers, or of chosen/rejected pairs"""
    shuffled: bool = False
    """the control: many heads, each learning ranks dealt anew; their mean on held-out pairs must be a half"""
    steps: Count = 100
    batch_size: Rows = 16
    """prompts a step, each with all its answers"""
    learning_rate: Rate = 3e-4
    weight_decay: Weight = 0.01
    save_every: Count = 100
    seed: Seed = 1
    """order of the data, and the control's deals"""
