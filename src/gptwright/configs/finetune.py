"""Options of finetune."""

from pathlib import Path
from typing import Annotated, Any

from gptwright.configs.presets import check_preset, with_preset
from gptwright.configs.training import AdapterOptions, SupervisedOptions
from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Range, Rate, Rows, Seed, Weight, settings

Share = Annotated[float, Range(0, 1, below=True)]

# Radford et al. 2018, §4.1; Devlin et al. 2018, §A.3, with the released code's warmup.
PRESETS: dict[str, dict[str, Any]] = {
    "gpt1": {"learning_rate": 6.25e-5, "batch_size": 32, "epochs": 3.0, "warmup": 0.002, "weight_decay": 0.01,
             "lm_weight": 0.5, "dropout": 0.1},
    "bert": {"learning_rate": 5e-5, "batch_size": 32, "epochs": 3.0, "warmup": 0.1, "weight_decay": 0.01,
             "lm_weight": 0.0, "dropout": 0.1},
}  # fmt: skip
# What each shape reads from a row; `split` and `group` may be there too.
ROLES = {
    "classification": ("text", "label"),
    "entailment": ("premise", "hypothesis", "label"),
    "similarity": ("first", "second", "label"),
    "multiple-choice": ("context", "choices", "label"),
}
OTHER_ROLES = ("split", "group")


@settings
class Finetune(SupervisedOptions, AdapterOptions):
    """Teach a pretrained model one task, from labelled examples."""

    base: Path
    """folder of pretrain or import, or the name of a packaged model"""
    data: tuple[Path, ...]
    """tables of examples: .jsonl, .csv, .tsv or .parquet, each also compressed"""
    shape: str = "classification"
    """what is asked of the texts: classification, entailment, similarity or multiple-choice"""
    columns: tuple[str, ...] = ()
    """ROLE=COLUMN where a table has other names: text=sentence label=gold, or choices=ending1,ending2"""
    labels: tuple[str, ...] = ()
    """the classes, in order; the second of two is the positive one (default: all that are found, sorted)"""
    neutral: tuple[str, ...] = ()
    """the classes that flag nothing when serve judges texts"""
    heldout: tuple[Path, ...] = ()
    """tables to measure on (default: what rows say in "split", else a tenth of them)"""
    preset: str = ""
    """hyper-parameters of a paper, gpt1 or bert, instead of the sizes' own below"""
    epochs: Annotated[float, Range(0, 10_000, above=True)] = 3.0
    """times that every example is seen"""
    steps: Amount = 0
    """or how many steps, instead of epochs"""
    batch_size: Rows = 32
    """examples a step; one of two orders or several choices is several texts"""
    learning_rate: Rate = 5e-4
    warmup: Share = 0.002
    """share of the steps in which the rate rises; then it falls linearly to 0"""
    weight_decay: Weight = 0.01
    lm_weight: Weight = 0.5
    """λ, the weight of next-token loss on the same texts; an encoder has none"""
    dropout: Share = 0.1
    """share of the state that is silenced before the classifier while training"""
    save_every: Annotated[int, Range(1, 10**9)] = 200
    seed: Seed = 1
    """order of the data, dropout, and the new tokens' vectors"""

    def __post_init__(self) -> None:
        super().__post_init__()
        known(self.shape, ROLES, "task shape")
        check_preset(self, PRESETS)
        for word in self.columns:
            role, _, column = word.partition("=")
            known(role, (*ROLES[self.shape], *OTHER_ROLES), f"role of a column in {self.shape}")
            if not column:
                raise ConfigError("ROLE=COLUMN in columns", f"'{word}'", f"Write {role}=NAME.")
        if self.neutral and self.shape != "classification":
            raise ConfigError("classes of texts by themselves", f"--neutral with {self.shape}", "Leave it out.")
        if len({*self.labels}) < len(self.labels) or len(self.labels) == 1:
            raise ConfigError("two or more different labels", ", ".join(self.labels), "Correct labels.")

    @property
    def resolved(self) -> "Finetune":
        """The same with the preset's numbers in their places."""
        return with_preset(self, PRESETS)

    @property
    def column_of(self) -> dict[str, str]:
        """The table's name of every role."""
        named = dict(word.split("=", 1) for word in self.columns)
        return {role: named.get(role, role) for role in (*ROLES[self.shape], *OTHER_ROLES)}
