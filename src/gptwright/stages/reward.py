"""reward: learn from rankings which answers people prefer (InstructGPT §3.5, step 2)."""

from dataclasses import replace

from gptwright.alignment.demonstrations import Demonstration, demonstrations, read_conversations
from gptwright.alignment.judge import Judge
from gptwright.alignment.labellers import Agreement
from gptwright.alignment.prompts import text_of
from gptwright.alignment.rankings import RankedIds, comparable
from gptwright.configs.reward import Reward
from gptwright.foundations.device import matrix_dtype, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners
from gptwright.models.heads import Classifier, RewardModel
from gptwright.objectives.ranking import prompt_loss
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_writer
from gptwright.pipelines.model import Model
from gptwright.stages.reward_model import demonstration_scores, require_plain
from gptwright.stages.stored_labels import stored_labels
from gptwright.stages.together import dtype_of
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.tasks.reward import HeldoutRanking, RewardTask, control_of
from gptwright.text.heldout import HeldoutSplit, assign_splits, normalised
from gptwright.training.adamw import AdamW
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import replicas
from gptwright.training.evaluation import Evaluation, write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: Reward, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/` (a sequence classifier of one number) and evaluation.json: how well held-out answers are ordered.

    The control leaves no model: nobody should be judged by it.
    """
    use_threads(config.threads)
    together = replicas(config.device)
    device, shard = together.device, together.batch_shard(config.micro_batches)
    shard.check_rows(config.batch_size)
    base = load_writer(config.base)
    stored = stored_labels(folder, config.from_store, "rankings", images=base.sees)
    config = replace(config, rankings=(*config.rankings, *stored))
    require_plain(base, config.lora)
    choose_learners(base.network, config.lora, config.seed)
    model = control_of(base.network) if config.shuffled else RewardModel(base.network)
    (sides, tied), shown = _read(config, base), _demonstrations(config, base)
    agreement = Agreement.of([ranking for ranking, _ in sides.train])
    task = _task(config, model, sides, agreement, base.tokenizer.pad_id)
    check_memory(model, -(-config.batch_size // shard.ranks), task.typical_length, config.micro_batches)
    before = task.to(device).evaluate(0)
    cast_linears(model.trunk, matrix_dtype(dtype_of(config.dtype, folder, together)))
    optimizer = Optimizer(task, AdamW(weight_decay=config.weight_decay, epsilon=1e-5), Replicas(together))
    rate = linear(config.learning_rate, config.steps, warmup=5)
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps, shard=shard):
            run.record(step.number, **step.metrics)
    if not together.first:
        return {}
    restore_master_weights(task, optimizer)
    if isinstance(model, RewardModel):
        _normalise(model, shown, base)
        if config.lora:
            leave_adapter(model, optimizer, config.base, folder / "adapter")
        export(model, base.tokenizer, folder / "model")
    after = task.evaluate(config.steps)
    write_evaluations(folder.path, {"before": before, "after": after})
    _say_found(_name(config), before, after)
    return _figures(sides, after, agreement) | {"all_tied": tied} | ({"sight": base.sight} if base.sees else {})


def _figures(
    sides: HeldoutSplit[tuple[Ranking, RankedIds]], after: Evaluation, agreement: Agreement
) -> dict[str, object]:
    labellers = Judge.count(ranking.labeller for side in (sides.train, sides.heldout) for ranking, _ in side)
    noise: dict[str, object] = {} if agreement.noise is None else {"label_noise": agreement.noise}
    return noise | {
        "train_rankings": len(sides.train),
        "heldout_rankings": len(sides.heldout),
        "pair_accuracy": after.estimates["pair_accuracy"].value,
        "labellers": labellers,
    }


def _task(
    config: Reward,
    model: RewardModel | Classifier,
    sides: HeldoutSplit[tuple[Ranking, RankedIds]],
    agreement: Agreement,
    pad: int,
) -> RewardTask:
    """What is learned. Raises `InputError` when labellers are to be weighed who cannot be compared."""
    train = [ids for _, ids in sides.train]
    if agreement.noise is not None:
        taus = ", ".join(f"{name} {agreement.tau(name):.2f}" for name in sorted(agreement.pairs))
        say(f"{_name(config)}: agreement with other labellers (τ): {taus}; "
            f"as if {agreement.noise:.1%} of labels were wrong")  # fmt: skip
    if config.labeller_weights == "agreement":
        weights = agreement.weights([ranking for ranking, _ in sides.train])
        train = [replace(ids, weight=weight) for ids, weight in zip(train, weights, strict=True)]
    heldout = [HeldoutRanking(normalised(text_of(ranking.messages)), ids) for ranking, ids in sides.heldout]
    loss = prompt_loss(config.loss, config.label_noise, config.pairwise_share)
    return RewardTask(model, train, config.batch_size, config.seed, pad, heldout, loss)


def _normalise(model: RewardModel, shown: list[Demonstration], base: Model) -> None:
    """Shifts the reward so that demonstrations score 0 on the average (InstructGPT §3.5)."""
    if shown:
        mean = model.head.mean = float(demonstration_scores(model, base.tokenizer, shown).mean())
        say(f"reward: {len(shown):,} demonstrations scored {mean:.3f} on the average, which is 0 from now on")


def _demonstrations(config: Reward, base: Model) -> list[Demonstration]:
    """Raises `InputError` when files are given that hold none."""
    if not config.demonstrations:
        return []
    intake = Intake("reward (demonstrations)")
    talks = [talk for path in config.demonstrations for talk in read_conversations(path, intake)]
    found = demonstrations(talks, base.tokenizer, base.context, intake)
    intake.require(found, "demonstrations to score 0 on the average", "Add conversations, or leave them out.")
    if intake.dropped.counts or intake.shortened.counts:
        intake.report(f"{len(found):,} demonstrations")
    return found


def _say_found(name: str, before: Evaluation, after: Evaluation) -> None:
    was, now = (found.estimates["pair_accuracy"] for found in (before, after))
    interval = f"{now.low:.1%} to {now.high:.1%}"
    say(f"{name}: {now.value:.1%} of held-out pairs right ({interval}), {was.value:.1%} before")


def _name(config: Reward) -> str:
    return "reward (control, shuffled ranks)" if config.shuffled else "reward"


def _read(config: Reward, base: Model) -> tuple[HeldoutSplit[tuple[Ranking, RankedIds]], float]:
    """Both sides, no prompt on both, and the share of rankings all of whose answers tie.

    Raises `InputError` when one side has nothing to compare.
    """
    intake = Intake("reward (control)" if config.shuffled else "reward")
    read = [read_rankings(path) for path in config.rankings]
    tied = [len({*ranking.ranks}) == 1 for rankings in read for ranking in rankings]
    files = [comparable(rankings, base, intake) for rankings in read]
    sides = assign_splits(files, lambda pair: text_of(pair[0].messages), lambda pair: pair[0].split)
    intake.drop("whose prompt is held out", count=sides.left_out)
    for side, name in ((sides.train, "to train on"), (sides.heldout, "held out")):
        intake.require(side, f"at least two rankings of other prompts, one {name}, with an untied pair each",
                       "Collect more rankings.")  # fmt: skip
    times = config.steps * config.batch_size / len(sides.train)
    intake.report(f"{len(sides.train):,} rankings to train on, {times:.1f} times each, {len(sides.heldout):,} held out")
    return sides, sum(tied) / len(tied)
