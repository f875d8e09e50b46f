"""moderation.json: from which probability on a classifier flags a text, label by label.

    {"thresholds": {"insult": 0.3}, "neutral": ["fine"], "f1": {"insult": 0.82}, "measured_on": "512 held-out examples"}

It stands beside config.json and outside the folder's manifest: a threshold may be moved without training anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.config import decode, encode
from gptwright.foundations.errors import ConfigError, nearest

FILE = "moderation.json"
THRESHOLD = 0.5
"""of labels for which none is given"""


@dataclass(frozen=True, kw_only=True)
class ModerationConfig:
    """Thresholds of some labels, and the labels that are neutral: those flag nothing, however likely they are.

    Where the thresholds were measured, the F1 that each had, and on what.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    neutral: tuple[str, ...] = ()
    f1: Mapping[str, float] = field(default_factory=dict[str, float])
    measured_on: str = ""

    def thresholds_of(self, labels: Sequence[str]) -> dict[str, float]:
        """The threshold of every label that can flag."""
        return {label: self.thresholds.get(label, THRESHOLD) for label in labels if label not in self.neutral}

    def flagged(self, probabilities: Mapping[str, float]) -> dict[str, bool]:
        """Whether each label's probability has reached its threshold."""
        least = self.thresholds_of(list(probabilities))
        return {label: label in least and value >= least[label] for label, value in probabilities.items()}

    def check(self, labels: Sequence[str], where: str) -> None:
        """Raises `ConfigError` for labels that the model does not have, a threshold that is no probability, and one of
        a neutral label."""
        for label in (*self.thresholds, *self.neutral, *self.f1):
            if label not in labels:
                raise ConfigError(f"a label of the model in {where}", f"'{label}'", nearest(label, labels))
        for label, value in self.thresholds.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"a probability from 0 to 1 for thresholds.{label} in {where}", f"{value}",
                                  "Change the value.")  # fmt: skip
            if label in self.neutral:
                raise ConfigError(f"'{label}' under thresholds or under neutral in {where}", "both",
                                  "Take one away: a neutral label flags nothing.")  # fmt: skip


UNSAID = ModerationConfig()


def read_moderation_config(folder: Path, labels: Sequence[str]) -> ModerationConfig:
    """What a model folder says of its `labels`; without a file nothing. Raises `ConfigError` as `check` does, and for
    fields that nothing is known of."""
    path = folder / FILE
    if not path.is_file():
        return UNSAID
    table: object = read_json(path)
    if not isinstance(table, dict):
        raise ConfigError(f'{{"thresholds": {{"LABEL": 0.5}}, "neutral": ["LABEL"]}} in {path}', repr(table)[:60],
                          "Correct the file.")  # fmt: skip
    found = decode(ModerationConfig, cast("dict[str, object]", table), str(path))
    found.check(labels, str(path))
    return found


def write_moderation_config(config: ModerationConfig, folder: Path) -> None:
    """Writes the file into a model folder that is there; nothing is written of what is unsaid."""
    if config != UNSAID:
        write_json(folder / FILE, encode(config))
