"""ppo: the policy answers, the reward model judges, the policy moves, never far (InstructGPT §3.5, step 3)."""

from safetensors.torch import save_file

from gptwright.alignment.ppo import PPOConfig, PPOTrainer
from gptwright.configs.ppo import PPO
from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.device import use_threads
from gptwright.foundations.runs import StageFolder
from gptwright.layers.lora import choose_learners
from gptwright.models.heads import PolicyAndValue
from gptwright.stages.policy import PolicyRun, auxiliary_task, worker_of
from gptwright.stages.together import pool_of
from gptwright.training.adamw import AdamW
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import replicas
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import linear
from gptwright.training.session import session


def run(config: PPO, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, value_head.safetensors, evaluation.json (wins, KL, text loss and answers of both models), and
    answers.jsonl: what both say to the held-out prompts, for people to rank.
    """
    use_threads(config.threads)
    together = replicas(config.device)
    device, shard = together.device, together.batch_shard(config.micro_batches)
    shard.check_rows(config.episodes // config.minibatches)
    it = PolicyRun.read(config, "ppo", device)
    auxiliary = auxiliary_task(config, it.policy, "ppo")
    choose_learners(it.policy.network, config.lora, config.seed)
    agent = PolicyAndValue(it.policy.network).to(device)
    optimizer = Optimizer(agent, AdamW(weight_decay=0.0, epsilon=1e-5), Replicas(together))
    it.check_memory()
    trainer = PPOTrainer(agent=agent, optimizer=optimizer, config=_ppo_config(config), auxiliary=auxiliary, shard=shard)
    worker = worker_of(config, it.policy, agent.value)
    rate = linear(config.learning_rate, config.updates, warmup=2)
    with session(folder, optimizer, config, steps=config.updates) as run, pool_of(config, together, worker) as pool:
        rollouts = it.rollouts(run.state, worker, pool=pool)
        for update in trainer.train(rollouts, rate, run.train_state, updates=config.updates, seed=config.seed):
            run.record(update.number, **update.metrics)
    if not together.first:
        return {}
    head = {"score.weight": agent.value.score.weight.detach()}
    write_file(folder / "value_head.safetensors", lambda path: save_file(head, path))
    return it.leave(folder, agent, optimizer, rollouts)


def _ppo_config(config: PPO) -> PPOConfig:
    return PPOConfig(beta=config.beta, epochs=config.epochs, minibatches=config.minibatches,
                     value_weight=config.value_weight, temperature=config.temperature)  # fmt: skip
