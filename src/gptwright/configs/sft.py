"""Options of sft."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from gptwright.configs.training import AdaptedTextOptions
from gptwright.configs.validation import known, without_password
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Range, Rows, Size, settings
from gptwright.training.schedules import SCHEDULES

# Ouyang et al. 2022, §3.5 and appendix C.1; the rate is that of 1.3 and 6 billion parameters.
PRESETS: dict[str, dict[str, Any]] = {
    "instructgpt": {"epochs": 16, "batch_size": 32, "learning_rate": 9.65e-6, "schedule": "cosine", "warmup": 0,
                    "dropout": 0.2, "optimizer": "adamw"},
}  # fmt: skip


@settings
class SFT(AdaptedTextOptions):
    """Teach a pretrained model to answer, from conversations."""

    base: Path
    """folder of pretrain"""
    conversations: tuple[Path, ...] = ()
    """JSON Lines of {"messages": [...]}"""
    from_store: str | None = None
    """store of demonstrations and of rankings, whose best answers are learned: a run's folder, a file or a URL"""
    tokens: Path
    """folder of tokenize: pretraining text is mixed in, so that the language is not forgotten"""
    text: Path | None = None
    """folder of prepare: "Continue: ..." demonstrations are cut from it"""
    rankings: Path | None = None
    """JSON Lines of ranked answers; the best ones show what to say"""
    questions: Path | None = None
    """JSON Lines of {"messages", "answer", "kind"}, and where phrases decide "right", to measure right answers on"""
    preset: str = ""
    """hyper-parameters of a paper, instructgpt, instead of the sizes' own below; a learning_rate beside it stays"""
    epochs: Annotated[int, Range(0, 10_000)] = 0
    """times that every conversation is seen, instead of steps; the epoch is taken that does best on held-out ones"""
    reward: Path | None = None
    """folder of reward: the epoch is chosen by what it says of answers to held-out prompts, not by their loss"""
    schedule: str = "linear"
    """course of the learning rate: linear and cosine-to-zero end at 0, cosine at a tenth"""
    warmup: Amount = 20
    """steps in which the rate rises"""
    dropout: Annotated[float, Range(0, 1, below=True)] = 0.0
    """share of what every branch adds that is silenced while training"""
    pack: bool = False
    """several conversations share a row, none sees another: the same is learned, and less is padding"""
    batch_size: Rows = 20
    """conversations a step"""
    continuations: Annotated[int, Range(0, 10**6)] = 1000
    """"Continue: ..." demonstrations cut from the text"""
    ptx_batch_size: Rows = 1
    """windows of pretraining text a step"""
    sequence_length: Size = 128
    """tokens of such a window"""

    def __post_init__(self) -> None:
        super().__post_init__()
        without_password(self.from_store)
        if not self.conversations and self.from_store is None:
            raise ConfigError("conversations", "none", "Give --conversations FILE or --from-store STORE.")
        known(self.schedule, SCHEDULES, "course of the learning rate")
        if self.preset:
            known(self.preset, PRESETS, "preset of sft")
            beside = [n for n, value in self._decided.items() if getattr(self, n) not in (value, getattr(SFT, n))]
            if beside:
                raise ConfigError(f"either preset or {beside[0]}", "both",
                                  f"A preset decides {', '.join(self._decided)}.")  # fmt: skip
        if self.reward and not self.resolved.epochs:
            raise ConfigError("epochs beside reward, which chooses among them", "none",
                              "Add --epochs N, or leave --reward out.")  # fmt: skip

    @property
    def resolved(self) -> "SFT":
        """The same with the preset's numbers in their places."""
        return replace(self, preset="", **self._decided) if self.preset else self

    @property
    def _decided(self) -> dict[str, Any]:
        """What the preset decides."""
        own_rate = self.learning_rate != SFT.learning_rate
        return {n: v for n, v in PRESETS[self.preset].items() if n != "learning_rate" or not own_rate}
