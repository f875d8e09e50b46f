"""Options of dpo."""

from pathlib import Path
from typing import Annotated

from gptwright.configs.policy import PolicyOptions
from gptwright.foundations.settings import Count, Range, Rate, Rows, Weight, settings


@settings
class DPO(PolicyOptions):
    """Improve a policy from ranked answers alone: no reward model, and it answers nothing while it learns."""

    rankings: tuple[Path, ...]
    """JSON Lines of ranked answers, or of chosen/rejected pairs; held-out ones measure the result"""
    prompts: Path | None = None
    """JSON Lines of more prompts for both models to answer; those that are learned from are left out"""
    reward: Path | None = None
    """folder of reward: who judges the answers where no rule made the rankings; it teaches nothing"""
    beta: Annotated[float, Range(0, 1000, above=True)] = 0.1
    """how dear it is to stray from the reference: the factor of the implicit reward"""
    label_smoothing: Annotated[float, Range(0, 0.5, below=True)] = 0.0
    """share of the pairs that are taken to be ranked wrongly"""
    best_weight: Weight = 0.0
    """weight of the likelihood of each best answer (Pang et al. 2024)"""
    steps: Count = 100
    """optimiser steps"""
    batch_size: Rows = 16
    """prompts a step, each with all its answers"""
    learning_rate: Rate = 3e-4
    """peak learning rate"""
    save_every: Count = 100
    """steps between checkpoints"""
