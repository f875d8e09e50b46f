"""Options of score."""

from pathlib import Path

import tyro

from gptwright.foundations.settings import Threads, settings


@settings
class Score:
    """Let a reward model score the answers in a file, whoever gave them."""

    model: tyro.conf.Positional[Path]
    """folder of reward, or a Hugging Face folder of a sequence classifier with one label"""
    file: tyro.conf.Positional[Path]
    """JSON Lines of a prompt with "answers", of chosen/rejected pairs, or of whole conversations"""
    base: Path | None = None
    """folder of the model that sees, on which the reward model was trained: by it images of prompts are read"""
    out: Path | None = None
    """file to write, instead of printing the lines"""
    threads: Threads = 2
    """processor threads"""
