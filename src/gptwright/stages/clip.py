"""clip: an image encoder and a text encoder learn from captions which of them belong together (CLIP)."""

from dataclasses import replace

from gptwright.configs.clip import Clip
from gptwright.configs.validation import known
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.images.preprocess import Preprocessing
from gptwright.models.catalogue import count
from gptwright.models.clip import CLIP, PRESETS
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.stages.tokenize import open_tokenizer
from gptwright.tasks.clip import ClipTask, read_captions
from gptwright.text.heldout import assign_splits
from gptwright.training.evaluation import write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: Clip, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: recall among held-out captions before and after."""
    use_threads(config.threads)
    device = use_device(config.device)
    task = task_of(config)
    network = task.model.network.to(device)
    check_memory(network.image, config.batch_size, 1 + network.config.image.patches)
    before = task.evaluate(0)
    dtype = folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type))
    cast_linears(network, matrix_dtype(dtype))
    optimizer = Optimizer(network, OPTIMIZERS[config.optimizer](config.weight_decay, matrix_dtype(dtype)))
    rate = linear(config.learning_rate, config.steps, warmup=min(config.warmup, config.steps // 2))
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps):
            if config.eval_every and step.number % config.eval_every == 0:
                found = task.evaluate(step.number).estimates
                folder.metrics.log(step.number, **{name: estimate.value for name, estimate in found.items()})
            run.record(step.number, **step.metrics)
    restore_master_weights(network, optimizer)
    task.model.save(folder / "model")
    after = task.evaluate(config.steps)
    write_evaluations(folder.path, {"before": before, "after": after})
    for name, now in after.estimates.items():
        say(
            f"clip: {name} {now.value:.0%} ({now.low:.0%} to {now.high:.0%}), {before.estimates[name].value:.0%} before"
        )
    return {"parameters": count(network), "captions": len(task.train), "dtype": dtype,
            **{name: estimate.value for name, estimate in after.estimates.items()}}  # fmt: skip


def task_of(config: Clip) -> ClipTask:
    """Fresh encoders and everything that they read, checked before the first step."""
    known(config.preset, PRESETS, "CLIP")
    tokenizer, intake = open_tokenizer(config.tokens), Intake("clip")
    sizes = PRESETS[config.preset]
    network = CLIP(replace(sizes, text=replace(sizes.text, vocab=tokenizer.vocab)))
    network.initialise(config.seed)
    model = ImageTextModel(network, tokenizer, "clip", Preprocessing(size=sizes.image.image_size))
    sides = assign_splits([read_captions(path) for path in config.captions], lambda each: each.key,
                          lambda each: each.split)  # fmt: skip
    intake.drop("whose image is held out", count=sides.left_out)
    intake.require(sides.train[config.batch_size - 1 :], f"{config.batch_size} captions to train on, a batch",
                   "Add lines, or lower batch_size.")  # fmt: skip
    times = config.steps * config.batch_size / len(sides.train)
    intake.report(f"{len(sides.train):,} captions to train on, {times:.1f} times each, {len(sides.heldout):,} held out")
    return ClipTask(model, sides.train, sides.heldout, config.batch_size, config.seed)
