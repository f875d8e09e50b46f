"""pretrain: a model learns from a corpus what its kind can learn there; a decoder, to predict the next token."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from gptwright.configs.pretrain import Pretrain
from gptwright.foundations.device import describe_device, matrix_dtype, use_threads
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.kernels.library import reason
from gptwright.models.catalogue import build, count, family_of
from gptwright.pipelines.export import export
from gptwright.pretraining.masked import MaskedWords
from gptwright.pretraining.next_token import NextToken
from gptwright.pretraining.scaling_law import rate_warning
from gptwright.pretraining.task import PretrainingTask, TaskInputs
from gptwright.pretraining.translation import Translation
from gptwright.stages.budgets import within_budget
from gptwright.stages.samples import write_samples
from gptwright.stages.together import dtype_of
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.training.checkpoint import take_average
from gptwright.training.compile import compile_parts, force_eager
from gptwright.training.distributed.sharding import gather_model, shard_model
from gptwright.training.distributed.tensor_parallel import check_parts
from gptwright.training.distributed.world import World, world
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import SCHEDULES, Schedule
from gptwright.training.session import session
from gptwright.training.task import B
from gptwright.training.train_step import train_steps

TASKS: Mapping[str, Callable[[TaskInputs], PretrainingTask[Any]]] = {
    "decoder": NextToken,
    "encoder": MaskedWords,
    "encoder-decoder": Translation,
}
WARMUP = 50


def run(config: Pretrain, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/` (a Hugging Face folder), samples.md, metrics.jsonl and the last checkpoints."""
    use_threads(config.threads)
    together = world(config.mesh, config.device)
    config = within_budget(config, folder, together)
    if warning := rate_warning(config.optimizer, config.model.width, config.learning_rate):
        say(f"pretrain: {warning}")
    inputs = inputs_of(config, together)
    task = task_of(inputs)
    shard = together.batch_shard(config.micro_batches)
    shard.check_rows(task.fewest_rows)
    dtype = dtype_of(config.dtype, folder, together)
    parameters, tokens = count(inputs.network), task.tokens(config.steps)
    how = f", {reason()}" if together.device.type == "cpu" and dtype == "bfloat16" else ""
    say(f"pretrain: {parameters:,} parameters, {tokens:,} tokens, matrices in {dtype}{how}")
    cast_linears(inputs.network, matrix_dtype(dtype))
    check_memory(inputs.network, -(-config.batch_size // shard.ranks), config.sequence_length, config.micro_batches)
    optimizer = optimizer_of(config, inputs.network, dtype, together)
    kept = replace(config, keep_checkpoints=max(config.keep_checkpoints, config.average_checkpoints))
    with session(folder, optimizer, kept, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate_of(config), run.train_state, steps=config.steps, shard=shard):
            if step.number % config.eval_every == 0 or step.number == config.first_eval:
                log_evaluation(task, step.number, folder)
            read = task.tokens(step.number) - task.tokens(step.number - 1)
            run.record(step.number, **step.metrics, tokens_per_second=read / step.seconds)
    with force_eager():
        metrics = finished(config, folder, inputs, optimizer)
    return {
        "parameters": parameters,
        "tokens": tokens,
        "epochs": round(task.epochs(config.steps), 2),
        **metrics,
        "skipped_steps": optimizer.skipped,
        "dtype": dtype,
        "device": describe_device(together.device),
        "processes": together.process.count,
    }


def inputs_of(config: Pretrain, together: World) -> TaskInputs:
    """A fresh model, and what it is to learn from. Raises `ConfigError` when its sizes do not fit the mesh."""
    tokenizer = open_tokenizer(config.tokens)
    sizes = replace(config.model, vocab=tokenizer.vocab)
    check_parts(sizes, together.mesh.tensor)
    pairs = family_of(sizes).kind == "encoder-decoder"
    train, heldout = (open_tokens(config.tokens, split, tokenizer, pairs=pairs) for split in ("train", "heldout"))
    return TaskInputs(
        network=build(sizes, config.seed, together.process.beside),
        tokenizer=tokenizer,
        train=train,
        heldout=heldout,
        batch_schedule=config.batch_schedule,
        length=config.sequence_length,
        seed=config.seed,
        by_document=config.document_mask,
    )


def task_of(inputs: TaskInputs) -> PretrainingTask[Any]:
    """What a model of this kind learns."""
    return TASKS[family_of(inputs.network.config).kind](inputs)


def optimizer_of(config: Pretrain, network: nn.Module, dtype: str, together: World) -> Optimizer:
    """Brings the model onto its devices, and takes charge of its parameters."""
    if config.compile:
        compile_parts(network, alone=together.axes is None)
    layout = shard_model(network, together)
    rule = OPTIMIZERS[config.optimizer](config.weight_decay, matrix_dtype(dtype), config.beta2, config.epsilon)
    return Optimizer(network, rule, layout)


def log_evaluation(task: PretrainingTask[B], step: int, folder: StageFolder) -> None:
    """Measures the model as it is now, and shows what it writes."""
    with force_eager():
        found = task.evaluate(step)
    folder.metrics.log(step, **found.metrics)
    write_samples(folder, step, found.samples)


def finished(
    config: Pretrain, folder: StageFolder, inputs: TaskInputs, optimizer: Optimizer
) -> Mapping[str, float | str]:
    """Leaves the model with its float32 masters, and measures it; of several processes the first does."""
    network = inputs.network
    if optimizer.layout.world.axes is None:
        restore_master_weights(network, optimizer)
    else:
        network = gather_model(network, optimizer)
    if network is None:
        return {}
    if config.average_checkpoints > 1:
        take_average(network, folder / "checkpoints", config.average_checkpoints)
    export(network, inputs.tokenizer, folder / "model")
    network.to(optimizer.layout.world.device)
    metrics = task_of(replace(inputs, network=network)).measure()
    shown = [(name, value) for name, value in metrics.items() if isinstance(value, float)]
    say(f"pretrain: held-out text: {', '.join(f'{name} {value:.3f}' for name, value in shown)}")
    return metrics


def rate_of(config: Pretrain) -> Schedule:
    """The learning rate of every step, counted in full batches."""
    batches = config.batch_schedule
    steps = batches.before(config.steps) / batches.full
    warmup = min(WARMUP, int(steps / 2)) if config.warmup is None else config.warmup
    rate = SCHEDULES[config.schedule](config.learning_rate, steps, warmup)
    return lambda step: rate(batches.before(int(step)) / batches.full)
