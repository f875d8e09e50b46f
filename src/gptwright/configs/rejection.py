"""Options of rejection."""

from dataclasses import field
from pathlib import Path
from typing import Annotated

from gptwright.configs.policy import ScoringOptions
from gptwright.foundations.settings import FREE, Range, Threads, settings


@settings
class Rejection(ScoringOptions):
    """Answer each prompt several times and keep the best answer (best of n): demonstrations and rankings."""

    policy: Path
    """folder of sft: who answers"""
    samples: Annotated[int, Range(2, 1000)] = 16
    """answers to each prompt (n), of which the best is kept"""
    min_score: Annotated[float, Range(-1000, 1000)] | None = None
    """no best answer is kept that scores less; a reward model's unit is the spread of the policy's scores"""
    threads: Threads = 2
    """processor threads"""
    device: str = field(default="auto", metadata=FREE)
    """what computes: cuda, mps, cpu, or auto: the first of these that is there"""
