"""Options of pretrain."""

from dataclasses import field
from pathlib import Path
from typing import Annotated

from gptwright.configs.training import TextOptions
from gptwright.configs.validation import known, within_context
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import FREE, Amount, Count, Epsilon, Range, Rows, Seed, Size, settings
from gptwright.models.config import ModelConfig
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.distributed.mesh import ONE_COPY, Mesh
from gptwright.training.schedules import SCHEDULES

BUDGETS = ("minutes", "total_tokens", "flops")
DECIDED = ("batch_size", "steps", "learning_rate", "warmup", "optimizer", "eval_every", "save_every")
SHORTEST_PAIR = 5  # [CLS] a [SEP] b [SEP]


def _default_model() -> ModelConfig:
    from gptwright.models.catalogue import preset  # torch

    return preset("gpt2-nano")


@settings
class Pretrain(TextOptions):
    """Train a model from nothing on packed text."""

    tokens: Path
    """folder of tokenize"""
    model: ModelConfig = field(default_factory=_default_model)
    """sizes, all at once by a preset's name (--model gpt2-124m) or one by one; the vocab is the tokenizer's"""
    minutes: Annotated[float, Range(0, 10**6)] = 0.0
    """how long it may take: width, layers, batch_size, steps, learning_rate are chosen, and Muon; the model's family"""
    total_tokens: Annotated[int, Range(0, 10**15)] = 0
    """or how many tokens it is to read"""
    flops: Annotated[float, Range(0, 1e30)] = 0.0
    """or how much arithmetic it is to do"""
    batch_size: Rows = 16
    """windows a step; of pairs to translate, batch_size × sequence_length tokens a side"""
    initial_batch_size: Annotated[int, Range(0, 10**6)] = 0
    """windows of the first step, when the batch is to grow (GPT-3); 0: all steps have as many"""
    batch_ramp_tokens: Annotated[int, Range(0, 10**15)] = 0
    """tokens over which it grows"""
    sequence_length: Size = 128
    """tokens a window; the model may see up to its context"""
    document_mask: bool = False
    """a decoder sees nothing of the documents beside its own; GPT-2 and GPT-3 see what is before"""
    warmup: Amount | None = None
    """steps of rising rate, half of a run below 100; a step with half the rows is half a step (default: 50)"""
    schedule: str = "wsd"
    """how the rate goes: wsd, cosine, cosine-to-zero, linear or inverse-root"""
    beta2: Annotated[float, Range(0, 1, below=True)] = 0.95
    """Adam's memory of squared gradients"""
    epsilon: Epsilon = 1e-8
    """what Adam adds to their root"""
    compile: bool = field(default=False, metadata=FREE)
    """torch compiles the blocks first: a minute, then faster on a GPU"""
    mesh: Mesh = field(default=ONE_COPY, metadata=FREE)
    """how processes that torchrun started share the work; it may go on with others"""
    eval_every: Count = 200
    """steps between looks at held-out text"""
    first_eval: Amount = 0
    """step of one look more, before those; 0: none"""
    average_checkpoints: Count = 1
    """the model is the mean of the last so many checkpoints"""
    seed: Seed = 1
    """initial weights and order of the data"""

    @property
    def batch_schedule(self) -> BatchSizeSchedule:
        """Windows of every step."""
        first, over = self.initial_batch_size or self.batch_size, self.batch_ramp_tokens // self.sequence_length
        return BatchSizeSchedule(self.batch_size, first, over)

    def __post_init__(self) -> None:
        super().__post_init__()
        known(self.schedule, SCHEDULES, "schedule")
        within_context(self.sequence_length, self.model.context)
        _check_budget(self)
        _fits_its_model(self)
        _fits_its_steps(self)


def _check_budget(config: Pretrain) -> None:
    """Raises `ConfigError` unless there is one budget at most, and nothing beside it that it decides."""
    asked = [name for name in BUDGETS if getattr(config, name)]
    beside = [name for name in DECIDED if getattr(config, name) != getattr(type(config), name)]
    if len(asked) > 1 or (asked and beside):
        raise ConfigError(f"either {asked[0]} or {(asked[1:] + beside)[0]}", "both",
                          f"A budget decides {', '.join(DECIDED)} and the model's width and layers.")  # fmt: skip


def _fits_its_model(config: Pretrain) -> None:
    from gptwright.models.catalogue import check_sizes, family_of  # torch

    check_sizes(config.model)
    family = family_of(config.model)
    budget = next((name for name in BUDGETS if getattr(config, name)), None)
    if budget and family.kind != "decoder":
        raise ConfigError(f"a decoder where {budget} decides", f"the family {family.name}",
                          "Its law of scaling was not measured: give its sizes and steps.")  # fmt: skip
    if config.document_mask and family.kind != "decoder":
        raise ConfigError("document_mask with a decoder", f"a model of family {family.name}",
                          "Its examples hold no other document: leave it out.")  # fmt: skip
    if config.initial_batch_size and family.kind == "encoder-decoder":
        raise ConfigError("initial_batch_size of 0 where pairs are translated", f"{config.initial_batch_size}",
                          "Pairs come in fixed batches: leave it out.")  # fmt: skip
    if family.kind == "encoder" and config.sequence_length < SHORTEST_PAIR:
        raise ConfigError(f"windows of at least {SHORTEST_PAIR} tokens for [CLS] a [SEP] b [SEP]",
                          f"sequence_length = {config.sequence_length}", "Raise sequence_length.")  # fmt: skip


def _fits_its_steps(config: Pretrain) -> None:
    whole = config.batch_schedule.before(config.steps) // config.batch_size
    if config.warmup is not None and config.warmup > whole:
        raise ConfigError(f"a warmup of at most the {whole:,} steps of {config.batch_size} rows", f"{config.warmup:,}",
                          "Lower warmup or raise steps.")  # fmt: skip
    if config.average_checkpoints > (saved := -(-config.steps // config.save_every)):
        raise ConfigError(
            f"an average of at most the {saved} checkpoints that are saved",
            f"{config.average_checkpoints}",
            "Lower save_every or average_checkpoints.",
        )
