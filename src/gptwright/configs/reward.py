"""Options of reward."""

from pathlib import Path
from typing import Annotated

from gptwright.configs.training import AdapterOptions, SupervisedOptions
from gptwright.configs.validation import known, without_password
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Count, Range, Rate, Rows, Seed, Weight, settings

LOSSES = ("bradley-terry", "lambdarank", "lambdaloss", "plackett-luce")
LABELLER_WEIGHTS = ("equal", "agreement")


@settings
class Reward(SupervisedOptions, AdapterOptions):
    """Train a reward model on ranked answers."""

    base: Path
    """folder of sft, whose model becomes the trunk"""
    rankings: tuple[Path, ...] = ()
    """JSON Lines of ranked answers, or of chosen/rejected pairs"""
    from_store: str | None = None
    """store with more of them: a run's folder, a file of SQLite, or a URL (postgresql://USER@HOST/NAME)"""
    demonstrations: tuple[Path, ...] = ()
    """JSON Lines of conversations, whose answers score 0 on the average afterwards"""
    shuffled: bool = False
    """the control: many heads, each learning ranks dealt anew; their mean on held-out pairs must be a half"""
    loss: str = "bradley-terry"
    """bradley-terry: all pairs alike; lambdarank, lambdaloss: pairs by what they change in NDCG; plackett-luce"""
    pairwise_share: Annotated[float, Range(0, 1)] = 0.5
    """Bradley–Terry's share in lambdarank and lambdaloss"""
    label_noise: Annotated[float, Range(0, 0.5, below=True)] = 0.0
    """share of pairs taken to be labelled wrongly"""
    labeller_weights: str = "equal"
    """equal, or agreement: labellers count by how far they agree with the others"""
    steps: Count = 100
    batch_size: Rows = 16
    """prompts a step, each with all its answers"""
    learning_rate: Rate = 3e-4
    weight_decay: Weight = 0.01
    save_every: Count = 100
    seed: Seed = 1
    """order of the data, and the control's deals"""

    def __post_init__(self) -> None:
        super().__post_init__()
        without_password(self.from_store)
        if not self.rankings and self.from_store is None:
            raise ConfigError("rankings", "none", "Give --rankings FILE or --from-store STORE.")
        known(self.loss, LOSSES, "loss of rankings")
        known(self.labeller_weights, LABELLER_WEIGHTS, "way to weigh labellers")
        if self.label_noise and self.loss == "plackett-luce":
            raise ConfigError("a loss over pairs, for label_noise", self.loss, "Take bradley-terry, or no label_noise.")
        if self.demonstrations and self.shuffled:
            raise ConfigError("a reward model, for demonstrations to score 0", "the control, which leaves none",
                              "Leave demonstrations out.")  # fmt: skip
