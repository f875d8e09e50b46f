"""codex: a decoder goes on with code: holes to fill in (Bavarian et al. 2022), functions to write (Codex §4)."""

from gptwright.alignment.demonstrations import Demonstrations
from gptwright.configs.codex import Codex
from gptwright.configs.validation import within_context
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.tokenize import open_tokens
from gptwright.tasks.codex import CodexTask, HeldoutCode, read_solutions
from gptwright.tasks.fill_in_the_middle import FillInTheMiddle
from gptwright.text.heldout import assign_splits
from gptwright.tokenizers.fill_in_the_middle import SENTINELS, Sentinels
from gptwright.training.batches import Windows
from gptwright.training.evaluation import write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: Codex, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: losses on held-out code before and after."""
    use_threads(config.threads)
    device = use_device(config.device)
    model, task = task_of(config)
    network = task.network.requires_grad_(True).to(device)
    choose_learners(network, config.lora, config.seed)
    check_memory(network, config.batch_size, config.sequence_length, config.micro_batches)
    before = task.evaluate(0)
    dtype = folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type))
    cast_linears(network, matrix_dtype(dtype))
    optimizer = Optimizer(network, OPTIMIZERS[config.optimizer](config.weight_decay, matrix_dtype(dtype)))
    rate = linear(config.learning_rate, config.steps, warmup=min(config.warmup, config.steps // 2))
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps):
            if step.number % config.eval_every == 0:
                folder.metrics.log(step.number, **task.evaluate(step.number).metrics)
            run.record(step.number, **step.metrics, **task.losses)
    restore_master_weights(network, optimizer)
    if config.lora:
        leave_adapter(network, optimizer, config.base, folder / "adapter")
    export(network, model.tokenizer.continued if config.solutions else model.tokenizer, folder / "model")
    after = task.evaluate(config.steps)
    write_evaluations(folder.path, {"before": before, "after": after})
    for name, now in after.metrics.items():
        say(f"codex: {name} {now:.3f}, {before.metrics[name]:.3f} before")
    return {**after.metrics, "dtype": dtype}


def task_of(config: Codex) -> tuple[Model, CodexTask]:
    """The model with its special tokens, and everything that it reads, checked before the first step."""
    base, intake = load_decoder(config.base), Intake("codex")
    within_context(config.sequence_length, base.context)
    text, heldout = (open_tokens(config.tokens, split, base.tokenizer) for split in ("train", "heldout"))
    require_window(heldout, config.sequence_length)
    model = _with_sentinels(config, base)
    tokenizer, length = model.tokenizer, config.sequence_length
    windows = Windows(text, length, config.batch_size, config.seed)
    source = FillInTheMiddle(windows, tokenizer, config.fim_rate, config.seed)
    holes = FillInTheMiddle(Windows(heldout, length, 16, 0), tokenizer, 1.0, 0, spm=0.0)
    found = [list(read_solutions(path, tokenizer, base.context, intake)) for path in config.solutions]
    sides = assign_splits(found, lambda each: each[1], lambda each: each[0])
    train, held_out = ([shown for _, _, shown in side] for side in (sides.train, sides.heldout))
    if config.solutions:
        intake.drop("that are held out too", count=sides.left_out)
        intake.require(train, "solutions to learn", "Shorten them, or add some.")
        intake.report(f"{len(train):,} solutions to learn, {len(held_out):,} held out")
    solutions = Demonstrations(train, config.solutions_batch_size, config.seed, tokenizer.pad_id) if train else None
    return model, CodexTask(model.network, source, solutions,
                            HeldoutCode(heldout, length, holes, held_out, tokenizer.pad_id))  # fmt: skip


def _with_sentinels(config: Codex, base: Model) -> Model:
    """The base itself where it has them; else with three more tokens, whose vectors LoRA learns too."""
    if Sentinels.known(base.tokenizer):
        return base
    tokenizer = base.tokenizer.with_additional(SENTINELS)
    network = with_new_tokens(base.network, [tokenizer.special_id(token) for token in SENTINELS], config.seed)
    return Model(network, tokenizer, base.name)
