"""dpo: rankings move the policy itself, with no reward model between and no answers sampled (Rafailov et al. 2023)."""

import torch

from gptwright.alignment.answer_logprobs import compared
from gptwright.alignment.judge import Judge
from gptwright.alignment.prompts import Prompt, prompts_within, read_asked, text_of
from gptwright.alignment.rankings import RankedIds, comparable
from gptwright.alignment.rewards import NormalizedReward
from gptwright.configs.dpo import DPO
from gptwright.evaluation.comparison import OLD, Comparison
from gptwright.foundations.device import matrix_dtype, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners
from gptwright.models.heads import RewardModel
from gptwright.pipelines.load import load_writer
from gptwright.pipelines.model import Model
from gptwright.stages.policy import (
    auxiliary_task,
    check_memory_of_text,
    check_rules,
    compare,
    heldout_data,
    leave_policy,
    worker_of,
)
from gptwright.stages.reward_model import open_reward_model, require_plain
from gptwright.stages.together import dtype_of
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.tasks.dpo import DPOTask
from gptwright.text.heldout import HeldoutSplit, assign_splits, normalised
from gptwright.training.adamw import AdamW
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import replicas
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps

Sides = HeldoutSplit[tuple[Ranking, RankedIds]]


def run(config: DPO, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/` and evaluation.json: held-out pairs ordered rightly, and where somebody can judge them, the wins
    of the new answers, which answers.jsonl holds beside the old ones.
    """
    use_threads(config.threads)
    together = replicas(config.device)
    device, shard = together.device, together.batch_shard(config.micro_batches)
    shard.check_rows(config.batch_size)
    policy, reference = load_writer(config.policy), load_writer(config.policy)
    require_plain(policy, config.lora)
    sides = _read(config, policy)
    judge, reward_model = _judge(config, policy, sides, device)
    prompts = _prompts(config, policy, sides)
    check_rules(judge, "", prompts)
    comparison = Comparison(prompts, heldout_data(config, policy, "dpo"), judge, "dpo")
    network = policy.network.to(device)
    choose_learners(network, config.lora, config.seed)
    cast_linears(network, dtype := matrix_dtype(dtype_of(config.dtype, folder, together)))
    task = _task(config, policy, sides)
    optimizer = Optimizer(network, AdamW(weight_decay=0.0), Replicas(together))
    check_memory_of_text(config, network)
    rate = linear(config.learning_rate, config.steps, warmup=5)
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps, shard=shard):
            run.record(step.number, **step.metrics)
    if not together.first:
        return {}
    leave_policy(config, folder, policy, network, optimizer)
    for measured in (network, reference.network.to(device)):
        cast_linears(measured, dtype)
    pairs = task.evaluate(config.steps)
    accuracy = pairs.estimates["pair_accuracy"]
    interval = f"{accuracy.low:.1%} to {accuracy.high:.1%}"
    say(f"dpo: {accuracy.value:.1%} of held-out pairs right by the implicit reward ({interval})")
    models = {name: (model, worker_of(config, model)) for name, model in ((OLD, reference), ("dpo", policy))}
    first = models[OLD][1].collect(comparison.prompts, "heldout")
    reward = NormalizedReward.fitted(reward_model, first) if reward_model else None
    found = compare(comparison, folder, models, reward, more=pairs)
    return {"pair_accuracy": accuracy.value} | found


def _read(config: DPO, policy: Model) -> Sides:
    """Both sides, no prompt on both. Raises `InputError` when one of them has nothing to compare."""
    intake = Intake("dpo")
    files = [comparable(read_rankings(path), policy, intake) for path in config.rankings]
    sides = assign_splits(files, lambda pair: text_of(pair[0].messages), lambda pair: pair[0].split)
    intake.drop("whose prompt is held out", count=sides.left_out)
    train, heldout = ([pair for pair in side if not pair[1].cut] for side in (sides.train, sides.heldout))
    longer = f"longer than {policy.context:,} tokens: an answer's probability is that after its whole prompt"
    intake.drop(longer, count=len(sides.train) + len(sides.heldout) - len(train) - len(heldout))
    for side, name in ((train, "to train on"), (heldout, "held out")):
        intake.require(side, f"at least two rankings of other prompts, one {name}, with an untied pair each",
                       "Collect more rankings.")  # fmt: skip
    times = config.steps * config.batch_size / len(train)
    intake.report(f"{len(train):,} rankings to train on, {times:.1f} times each, {len(heldout):,} held out")
    return HeldoutSplit(train, heldout, sides.left_out)


def _task(config: DPO, policy: Model, sides: Sides) -> DPOTask:
    """What is learned. The policy is still its own reference, of which no copy is needed while it learns."""
    network, pad = policy.network, policy.tokenizer.pad_id
    train, heldout = (compared(network, [(normalised(text_of(ranking.messages)), ids) for ranking, ids in side], pad)
                      for side in (sides.train, sides.heldout))  # fmt: skip
    tokens = sum(len(row) for item in train for row in item.ids.rows) // len(train)
    check_memory(network, config.batch_size, tokens, config.micro_batches)
    return DPOTask(
        policy=network,
        train=train,
        heldout=heldout,
        auxiliary=auxiliary_task(config, policy, "dpo"),
        rows=config.batch_size,
        seed=config.seed,
        pad=pad,
        beta=config.beta,
        smoothing=config.label_smoothing,
        best_weight=config.best_weight,
    )


def _prompts(config: DPO, policy: Model, sides: Sides) -> list[Prompt]:
    """What both models answer: the held-out prompts, each once, and behind them others that nothing is learned of.

    Raises `InputError` when none leaves room.
    """
    heldout, learned = ({normalised(text_of(ranking.messages)): (ranking.line, ranking.messages) for ranking, _ in side}
                        for side in (sides.heldout, sides.train))  # fmt: skip
    more = read_asked(config.prompts) if config.prompts else []
    others = {normalised(text_of(messages)): (line, messages) for line, messages in more}
    asked = heldout | {prompt: other for prompt, other in others.items() if prompt not in {**heldout, **learned}}
    intake, longest = Intake("dpo"), policy.context - config.max_tokens
    prompts = prompts_within(asked.values(), policy.chat_ids, longest, intake, policy.chat_content)
    intake.require(prompts, f"held-out prompts of at most {longest:,} tokens", "Lower max_tokens.")
    return prompts[: config.heldout_prompts]


def _judge(config: DPO, policy: Model, sides: Sides, device: torch.device) -> tuple[Judge, RewardModel | None]:
    """The rule that ranked; where people did, a reward model judges, or nobody."""
    model = open_reward_model(config.reward, policy).to(device) if config.reward else None
    labellers = Judge.count(ranking.labeller for side in (sides.train, sides.heldout) for ranking, _ in side)
    return Judge.of({"labellers": labellers}), model
