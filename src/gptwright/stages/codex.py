"""codex: a decoder goes on with code: holes to fill in (Bavarian et al. 2022), functions to write (Codex §4), edits."""

from collections.abc import Sequence

from gptwright.alignment.demonstrations import Demonstration, Demonstrations
from gptwright.alignment.solutions import Solution, read_edits, read_solutions
from gptwright.configs.codex import Codex
from gptwright.configs.validation import within_context
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.device import matrix_dtype, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.together import dtype_of
from gptwright.stages.tokenize import open_tokens
from gptwright.tasks.codex import HOLES, CodexTask, HeldoutCode
from gptwright.tasks.fill_in_the_middle import FillInTheMiddle
from gptwright.text.heldout import assign_splits
from gptwright.tokenizers.edits import EDIT_MARKS
from gptwright.tokenizers.fill_in_the_middle import SENTINELS, Sentinels
from gptwright.training.batches import Windows
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import replicas
from gptwright.training.evaluation import Evaluation, write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: Codex, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: losses on held-out code before and after."""
    use_threads(config.threads)
    together = replicas(config.device)
    model, task = task_of(config)
    network = task.network.requires_grad_(True).to(together.device)
    shard = together.batch_shard(config.micro_batches)
    shard.check_rows(config.batch_size)
    choose_learners(network, config.lora, config.seed)
    check_memory(network, -(-config.batch_size // shard.ranks), config.sequence_length, config.micro_batches)
    before = task.evaluate(0)
    cast_linears(network, dtype := matrix_dtype(dtype_of(config.dtype, folder, together)))
    rule = OPTIMIZERS[config.optimizer](config.weight_decay, dtype)
    optimizer = Optimizer(network, rule, Replicas(together))
    rate = linear(config.learning_rate, config.steps, warmup=min(config.warmup, config.steps // 2))
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps, shard=shard):
            if step.number % config.eval_every == 0:
                folder.metrics.log(step.number, **task.evaluate(step.number).metrics)
            run.record(step.number, **step.metrics, **task.named(together.total(task.parts)))
    if not together.first:
        return {}
    restore_master_weights(network, optimizer)
    if config.lora:
        leave_adapter(network, optimizer, config.base, folder / "adapter")
    export(network, model.tokenizer.continued if config.solutions else model.tokenizer, folder / "model")
    return _evaluate(config, folder, task, before)


def _evaluate(config: Codex, folder: StageFolder, task: CodexTask, before: Evaluation) -> dict[str, object]:
    """What is held out, before and after."""
    after = task.evaluate(config.steps)
    write_evaluations(folder.path, {"before": before, "after": after})
    for name, now in after.metrics.items():
        say(f"codex: {name} {now:.3f}, {before.metrics[name]:.3f} before")
    return dict(after.metrics)


def task_of(config: Codex) -> tuple[Model, CodexTask]:
    """The model with its special tokens, and everything that it reads, checked before the first step."""
    base, intake = load_decoder(config.base), Intake("codex")
    within_context(config.sequence_length, base.context)
    text, heldout = (open_tokens(config.tokens, split, base.tokenizer) for split in ("train", "heldout"))
    require_window(heldout, config.sequence_length)
    model = _with_marks(config, base)
    tokenizer, length = model.tokenizer, config.sequence_length
    windows = Windows(text, length, config.batch_size, config.seed)
    source = FillInTheMiddle(windows, tokenizer, config.fim_rate, config.seed)
    holes = FillInTheMiddle(Windows(heldout, length, HOLES, 0), tokenizer, 1.0, 0, spm=0.0)
    train, held_out = dict[str, Demonstrations](), dict[str, Demonstrations]()
    for name, paths, read, rows in (("solution", config.solutions, read_solutions, config.solutions_batch_size),
                                    ("edit", config.edits, read_edits, config.edits_batch_size)):  # fmt: skip
        if paths:
            sides = _sides(name, [list(read(path, tokenizer, base.context, intake)) for path in paths], intake)
            train[name], held_out[name] = (Demonstrations(side, rows, config.seed, tokenizer.pad_id) for side in sides)
    measured = HeldoutCode(heldout, length, config.heldout_windows, holes, held_out)
    return model, CodexTask(model.network, source, train, measured)


def _sides(
    name: str, files: list[list[Solution]], intake: Intake
) -> tuple[Sequence[Demonstration], Sequence[Demonstration]]:
    """What is learned and what is held out, of which nothing stands on both sides."""
    sides = assign_splits(files, lambda each: each.prompt, lambda each: each.split)
    train, held_out = ([each.demonstration for each in side] for side in (sides.train, sides.heldout))
    intake.drop("that are held out too", count=sides.left_out)
    intake.require(train, f"{name}s to learn", "Shorten them, or add some.")
    intake.report(f"{len(train):,} {name}s to learn, {len(held_out):,} held out")
    return train, held_out


def _with_marks(config: Codex, base: Model) -> Model:
    """The base itself where it has the special tokens that are needed; else with those that it lacks, whose vectors
    LoRA learns too."""
    wanted = (*(() if Sentinels.known(base.tokenizer) else SENTINELS), *(EDIT_MARKS if config.edits else ()))
    new = [token for token in wanted if token not in base.tokenizer.all_special_tokens]
    if not new:
        return base
    tokenizer = base.tokenizer.with_additional(new)
    network = with_new_tokens(base.network, [tokenizer.special_id(token) for token in new], config.seed)
    return Model(network, tokenizer, base.name)
