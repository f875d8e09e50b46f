"""vision: a chat model learns to see, from conversations with images (LLaVA)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gptwright.alignment.demonstrations import best_answers
from gptwright.configs.validation import within_context
from gptwright.configs.vision import Vision
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners, merge_lora
from gptwright.models.new_tokens import with_new_tokens
from gptwright.models.vision_language import VisionLanguageConfig, VisionLanguageModel
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.pipelines.load import as_decoder, load
from gptwright.pipelines.vision_model import IMAGE_TOKEN, VisionModel
from gptwright.stages.stored_labels import stored_labels
from gptwright.stages.tokenize import open_tokens
from gptwright.store.ranking_lines import read_rankings
from gptwright.tasks.sft import CHAT_DEFAULTS
from gptwright.tasks.vision import MixedText, VisionTask, read_conversations, require_images, shown
from gptwright.training.batches import Windows
from gptwright.training.evaluation import write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, frozen_weights, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: Vision, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: losses on held-out answers and text before and after."""
    use_threads(config.threads)
    device = use_device(config.device)
    shown, ranked = (stored_labels(folder, config.from_store, format, images=True)
                     for format in ("demonstrations", "rankings"))  # fmt: skip
    config = replace(config, conversations=(*config.conversations, *shown))
    task = task_of(config, ranked)
    network = task.model.network.to(device)
    choose_parts(network, config)
    check_memory(network.decoder, config.batch_size, task.typical_length, config.micro_batches)
    before = task.evaluate(0)
    dtype = folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type))
    frozen = frozen_weights(network)
    cast_linears(network, matrix_dtype(dtype))
    optimizer = Optimizer(network, OPTIMIZERS[config.optimizer](config.weight_decay, matrix_dtype(dtype)))
    rate = linear(config.learning_rate, config.steps, warmup=min(config.warmup, config.steps // 2))
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps):
            run.record(step.number, **step.metrics, **task.losses)
    restore_master_weights(network, optimizer, frozen)
    merge_lora(network)
    task.model.save(folder / "model")
    after = task.evaluate(config.steps)
    write_evaluations(folder.path, {"before": before, "after": after})
    for name, now in after.metrics.items():
        say(f"vision: {name} {now:.3f}, {before.metrics[name]:.3f} before")
    return {**after.metrics, "dtype": dtype}


def choose_parts(network: VisionLanguageModel, config: Vision) -> None:
    """What learns: the projector, and beside it nothing, everything that has a part in what is said, or of that
    low-rank paths alone."""
    if config.learn == "all":
        choose_learners(network, config.lora, config.seed)
    else:
        network.requires_grad_(False)
    network.projector.requires_grad_(True)
    last = network.config.image.layers + 1 + network.config.layer
    for unread in (network.vision.norm, *network.vision.blocks[last:]):
        unread.requires_grad_(False)


def task_of(config: Vision, ranked: Sequence[Path] = ()) -> VisionTask:
    """The model that is to see, and everything that it reads, checked before the first step. Of what is `ranked` the
    best answers are learned."""
    model, tokenizer = seeing(config)
    within_context(config.sequence_length, model.context)
    train, heldout = (open_tokens(config.tokens, split, tokenizer) for split in ("train", "heldout"))
    require_window(heldout, config.sequence_length)
    intake = Intake("vision")
    found = [conversation for path in config.conversations for conversation in read_conversations(path)]
    found += best_answers([read_rankings(path) for path in ranked], intake)
    learned = shown([each for each in found if each.split != "heldout"], model, intake)
    held = shown([each for each in found if each.split == "heldout"][: config.heldout], model, intake)
    intake.require(learned, "conversations to train on", 'Add lines, or correct their "split".')
    require_images(learned)
    times = config.steps * config.batch_size / len(learned)
    intake.report(f"{len(learned):,} conversations to train on, {times:.1f} times each, {len(held):,} held out")
    windows = Windows(train, config.sequence_length, config.ptx_batch_size, config.seed + 1)
    text = MixedText(windows if config.learn == "all" else None, heldout, config.sequence_length)
    return VisionTask(model, learned, held, text, rows=config.batch_size, seed=config.seed, jitter=config.jitter)


def seeing(config: Vision) -> tuple[VisionModel, Any]:
    """A decoder that sees, and the tokenizer by which its text was packed.

    Raises `ArtifactError` where there is no encoder to see with, or one too many.
    """
    base = load(config.base)
    if isinstance(base, VisionModel):
        if config.encoder:
            raise ArtifactError("a base that cannot see beside an encoder", f"{config.base}, which sees",
                                "Leave --encoder out.")  # fmt: skip
        return base, base.tokenizer
    decoder = as_decoder(base, config.base)
    encoder = None if config.encoder is None else load(config.encoder)
    if not isinstance(encoder, ImageTextModel):
        raise ArtifactError("the folder of clip as --encoder, to see with", str(config.encoder),
                            "Train one with gptwright clip.")  # fmt: skip
    text, tokenizer = decoder.network, decoder.tokenizer
    if IMAGE_TOKEN not in tokenizer.all_special_tokens:
        tokenizer = tokenizer.with_additional([IMAGE_TOKEN])
        text = with_new_tokens(text, [tokenizer.special_id(IMAGE_TOKEN)], config.seed)
    place = tokenizer.special_id(IMAGE_TOKEN)
    network = VisionLanguageModel(VisionLanguageConfig(image=encoder.network.config.image, text=text.config,
                                                       placeholder=place))  # fmt: skip
    network.initialise(config.seed)
    network.vision, network.decoder = encoder.network.image, text
    model = VisionModel(network, tokenizer, "vision", encoder.preprocessing, CHAT_DEFAULTS)
    return model, decoder.tokenizer
