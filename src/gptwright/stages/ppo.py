"""ppo: the policy answers, the reward model judges, the policy moves, never far (InstructGPT §3.5, step 3)."""

import copy
from dataclasses import fields, replace
from typing import Any

from safetensors.torch import save_file

from gptwright.alignment.early_stopping import HeldoutWatch
from gptwright.alignment.ppo import PPOConfig, PPOTrainer
from gptwright.alignment.rollout_worker import ScoredRollouts
from gptwright.configs.ppo import PPO
from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.device import use_threads
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners, merge_lora
from gptwright.models.heads import Critic, PolicyAndValue, RewardModel, ScalarHead
from gptwright.pipelines.export import export
from gptwright.stages.policy import PolicyRun, worker_of
from gptwright.stages.together import pool_of
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import replicas
from gptwright.training.kept_weights import KeepWeights, KeptWeights
from gptwright.training.next_token import MixedBatch, TextMixture
from gptwright.training.optimizer import Optimizer, OptimizerConfig, cast_linears
from gptwright.training.schedules import SCHEDULES
from gptwright.training.session import Session, session


def run(config: PPO, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, value_head.safetensors, evaluation.json (wins, KL, text loss and answers of both models), and
    answers.jsonl: what both say to the held-out prompts, for people to rank. A separate critic is left as `critic/`.
    """
    config = config.resolved
    use_threads(config.threads)
    together = replicas(config.device)
    device, shard = together.device, together.batch_shard(config.micro_batches)
    shard.check_rows(config.episodes // config.minibatches)
    it = PolicyRun.read(config, folder, "ppo", together)
    auxiliary = it.auxiliary("ppo") if config.ptx_weight else None
    critic = _critic(config, it)
    agent = PolicyAndValue(it.learner(device), critic).to(device)
    optimizer = Optimizer(agent, _rule(config), Replicas(together))
    it.check_memory()
    worker = worker_of(config, it.policy, agent.value)
    rate = SCHEDULES[config.schedule](config.learning_rate, config.updates, config.warmup)
    with session(folder, optimizer, config, steps=config.updates) as run, pool_of(config, together, worker) as pool:
        rollouts = it.rollouts(run.state, worker, pool=pool)
        if critic and it.reward_model:
            critic.scale(run.state.get("score_mean", 0.0), run.state.get("score_std", 1.0))
        watch = _watch(config, it, rollouts, run)
        trainer = _trainer(config, agent, optimizer, auxiliary, shard, run.state)
        updates = 0 if watch.over else config.updates  # it may have stopped early before it was killed
        for update in trainer.train(rollouts, rate, run.train_state, updates=updates, seed=config.seed):
            run.record(update.number, **update.metrics, **watch.metrics(update.number))
            if watch.over:
                break
    if not together.first:
        return {}
    if isinstance(optimizer.update, KeptWeights):
        optimizer.update.put_back()
    metrics = it.leave(folder, agent, optimizer, rollouts)
    _leave_value(agent.value, it.policy.tokenizer, folder)
    return metrics | watch.peak


def _trainer(
    config: PPO,
    agent: PolicyAndValue,
    optimizer: Optimizer,
    auxiliary: TextMixture | None,
    shard: BatchShard,
    state: dict[str, Any],
) -> PPOTrainer[MixedBatch]:
    settings = PPOConfig(**{field.name: getattr(config, field.name) for field in fields(PPOConfig)})
    return PPOTrainer(agent=agent, optimizer=optimizer, config=settings, epochs=config.epochs,
                      minibatches=config.minibatches, auxiliary=auxiliary, shard=shard, state=state)  # fmt: skip


def _rule(config: PPO) -> OptimizerConfig:
    rule = AdamW(weight_decay=0.0, epsilon=1e-5)
    return KeepWeights(rule, config.ema) if config.ema or config.stop_early else rule


def _critic(config: PPO, it: PolicyRun) -> Critic | None:
    """A value model of its own, where one is wanted: the reward model as it is, or the policy with a new head."""
    if config.critic == "shared":
        return None
    model = copy.deepcopy(it.reward_model) if it.reward_model else RewardModel(copy.deepcopy(it.policy.network))
    choose_learners(model.trunk, config.lora, config.seed)
    cast_linears(model.trunk, it.dtype)
    model.head.requires_grad_(True)
    return Critic(model)


def _watch(config: PPO, it: PolicyRun, rollouts: ScoredRollouts, run: Session) -> HeldoutWatch:
    prompts, kept = it.comparison.prompts, run.optimizer.update
    return HeldoutWatch(heldout=replace(rollouts, prompts=prompts, episodes=len(prompts)), every=config.evaluate_every,
                        kl_target=config.kl_target, state=run.state,
                        kept=kept if config.stop_early and isinstance(kept, KeptWeights) else None)  # fmt: skip


def _leave_value(value: ScalarHead | Critic, tokenizer: Tokenizer, folder: StageFolder) -> None:
    """The head as a file, or the critic as a model."""
    if isinstance(value, Critic):
        merge_lora(value.model.trunk)
        export(value.model, tokenizer, folder / "critic")
    else:
        head = {"score.weight": value.score.weight.detach()}
        write_file(folder / "value_head.safetensors", lambda path: save_file(head, path))
