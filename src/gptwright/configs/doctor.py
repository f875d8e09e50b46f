"""Options of doctor."""

from pathlib import Path

import tyro

from gptwright.foundations.settings import settings


@settings
class Doctor:
    """Say whether a run is healthy: what is wrong, why, and what to do. Exits with 1 when something is ill."""

    run: tyro.conf.Positional[Path]
    """run folder, as `start` or `run` leaves it, or the folder of one stage"""
