"""finetune: one task, learned from labelled examples in GPT-1's four shapes (Radford et al. 2018, §3)."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path

from torch import nn

from gptwright.configs.finetune import Finetune
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, input_paths
from gptwright.layers.init import truncated_weights
from gptwright.layers.lora import choose_learners
from gptwright.models.bert import BERT
from gptwright.models.heads import SequenceModel, with_head
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.export import export
from gptwright.pipelines.load import find, load
from gptwright.pipelines.model import Model
from gptwright.pipelines.moderation_config import ModerationConfig, write_moderation_config
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tasks.finetune import FinetuneTask, encoded
from gptwright.tasks.labelled_examples import LabelledData, describe, read_labelled
from gptwright.tokenizers.task_shapes import TaskShape
from gptwright.training.adamw import AdamW
from gptwright.training.evaluation import write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: Finetune, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/` (a sequence classifier, one of single texts with thresholds for `serve`) and evaluation.json: the
    held-out examples before and after."""
    config = config.resolved
    use_threads(config.threads)
    device = use_device(config.device)
    task = task_of(config)
    steps = config.steps or ceil(config.epochs * len(task.train) / config.batch_size)
    model = task.model.requires_grad_(True).to(device)
    choose_learners(model.trunk, config.lora, config.seed)
    check_memory(model, config.batch_size, task.typical_length, config.micro_batches)
    before = task.evaluate(0)
    dtype = folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type))
    cast_linears(model.trunk, matrix_dtype(dtype))
    optimizer = Optimizer(model, AdamW(weight_decay=config.weight_decay, betas=(0.9, 0.999)))
    rate = linear(config.learning_rate, steps, warmup=round(config.warmup * steps))
    with session(folder, optimizer, config, steps=steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=steps):
            run.record(step.number, **step.metrics)
    restore_master_weights(model, optimizer)
    if config.lora:
        leave_adapter(model, optimizer, config.base, folder / "adapter")
    export(model, task.scorer.tokenizer, folder / "model")
    answers = task.answers()
    after = task.measured(answers)
    if config.shape == "classification":
        write_moderation_config(task.thresholds(answers, config.neutral), folder / "model")
    write_evaluations(folder.path, {"before": before, "after": after})
    for name, now in after.estimates.items():
        was = before.estimates[name].value
        say(f"finetune: {name} {now.value:.3f} ({now.low:.3f} to {now.high:.3f}), {was:.3f} before")
    return {"train_examples": len(task.train), "heldout_examples": len(task.heldout), **after.metrics,
            **{name: estimate.value for name, estimate in after.estimates.items()}}  # fmt: skip


def inputs(config: Finetune) -> Mapping[str, Path]:
    """What is read; a packaged model as the file or folder that its package brought."""
    return input_paths(replace(config, base=find(config.base)))


def task_of(config: Finetune) -> FinetuneTask:
    """Everything that is read and learned, checked before the first step."""
    intake = Intake("finetune")
    data = read_labelled(config.shape, config.data, config.heldout, config.column_of, config.labels, intake)
    ModerationConfig(neutral=config.neutral).check(data.labels, "--neutral")
    scorer = scorer_of(config, data)
    assert scorer.shape is not None
    train, heldout = (
        encoded(side, data, scorer.shape, scorer.tokenizer, scorer.context, intake)
        for side in (data.train, data.heldout)
    )
    times = config.steps * config.batch_size / len(train) if config.steps else config.epochs
    intake.report(describe(data, config.shape, times))
    return FinetuneTask(scorer, data.kind, train, heldout, rows=config.batch_size, seed=config.seed,
                        lm_weight=config.lm_weight, dropout=config.dropout)  # fmt: skip


def scorer_of(config: Finetune, data: LabelledData) -> SequenceScorer:
    """The base under a new head, and its tokenizer: a decoder learns Start, Delim and Extract, an encoder has its own.

    Raises `ArtifactError` for a base of another kind.
    """
    base, name = load(config.base), config.shape
    middle, spread = data.middle_and_spread
    if isinstance(base, Encoder):
        shape = replace(TaskShape.of_encoder(name), middle=middle, spread=spread)
        network, tokenizer = _with_pooler(base.network, config.seed), base.tokenizer
    elif isinstance(base, Model):
        shape = TaskShape(name=name, both_orders=name == "similarity", middle=middle, spread=spread)
        tokenizer = base.tokenizer.with_additional(shape.tokens)
        network = with_new_tokens(base.network, shape.marks(tokenizer), config.seed)
    else:
        raise ArtifactError(f"a decoder or an encoder in {config.base}", base.kind,
                            "Give the folder of pretrain, sft, ppo or import.")  # fmt: skip
    model: SequenceModel = with_head(network, data.labels, shape, several=data.kind == "labels")
    return SequenceScorer(model, tokenizer, "finetune")


def _with_pooler(network: BERT, seed: int) -> BERT:
    """An encoder that came without a pooler gets a fresh one."""
    if network.pooler is None:
        network.pooler = nn.Linear(network.config.width, network.config.width)
        truncated_weights(network.pooler, seed, 0.02)
    return network
