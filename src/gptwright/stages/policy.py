"""What the stages share that improve a policy: what is read before, and what is left after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import Any

import torch
from torch import nn

from gptwright.alignment.demonstrations import Demonstration, Demonstrations, demonstrations, read_conversations
from gptwright.alignment.groups import Algorithm, GroupTrainer
from gptwright.alignment.judge import Judge
from gptwright.alignment.prompts import Prompt, prompts_within, read_asked, text_of
from gptwright.alignment.rewards import NormalizedReward, ProgramReward, RewardFunction, WeightedSum
from gptwright.alignment.rollout_worker import RolloutPool, RolloutWorker, ScoredRollouts
from gptwright.configs.grpo import GroupOptions
from gptwright.configs.policy import AnsweringOptions, PolicyOptions, RolloutOptions, ScoringOptions
from gptwright.configs.validation import within_context
from gptwright.evaluation.answers import open_questions
from gptwright.evaluation.comparison import OLD, Comparison
from gptwright.evaluation.heldout_data import HeldoutData
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.device import matrix_dtype, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, finished_stage
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.layers.lora import choose_learners
from gptwright.models.decoder import Decoder
from gptwright.models.heads import Critic, RewardModel, ScalarHead
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_writer
from gptwright.pipelines.model import Model
from gptwright.stages.reward_model import best_demonstrations, open_reward_model, require_plain
from gptwright.stages.together import dtype_of, pool_of
from gptwright.stages.tokenize import open_tokens
from gptwright.tasks.sft import CHAT_DEFAULTS
from gptwright.text.heldout import assign_splits
from gptwright.text.jsonl import write_objects
from gptwright.text.rule_labeller import RULES, check_rule
from gptwright.training.adamw import AdamW
from gptwright.training.batches import Windows, epoch_order, key
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import World, replicas
from gptwright.training.evaluation import Evaluation, write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.next_token import TextMixture, TokenSource
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session

SCALE_PROMPTS = 256  # prompts whose answers set the scale of the scores


@dataclass(frozen=True, kw_only=True)
class PolicyRun:
    """A policy that is to learn from its own answers: with the model it is held to, its prompts, and who scores."""

    config: RolloutOptions
    policy: Model
    reference: Model
    prompts: list[Prompt]
    comparison: Comparison
    reward_model: RewardModel | None
    dtype: torch.dtype
    """of the matrices of policy and reference, while the one learns and when both are compared"""
    reference_began_as: float
    """`fingerprint` of its weights, which must not change"""

    @classmethod
    def read(cls, config: RolloutOptions, folder: StageFolder, verb: str, together: World) -> "PolicyRun":
        """Reads and checks everything. Raises `InputError` and `ArtifactError` for what does not fit together."""
        policy, reference = load_writer(config.policy), load_writer(config.policy)
        require_plain(policy, config.lora)
        device, dtype = together.device, matrix_dtype(dtype_of(config.dtype, folder, together))
        cast_linears(reference.network.to(device), dtype)
        reward_model, judge = reward_model_of(config, policy, device)
        prompts, heldout = prompts_of(config, policy, reward_model, Intake(verb))
        check_rules(judge, config.rule, [*prompts, *heldout])
        return cls(config=config, policy=policy, reference=reference, prompts=prompts, reward_model=reward_model,
                   dtype=dtype, reference_began_as=fingerprint(reference.network),
                   comparison=Comparison(heldout, heldout_data(config, policy, verb), judge, verb))  # fmt: skip

    def auxiliary(self, verb: str) -> TextMixture:
        """What the policy goes on learning; of conversations what the reward model likes, where that is asked."""
        return auxiliary_task(self.config, self.policy, verb, self._best)

    def _best(self, shown: Sequence[Demonstration]) -> list[Demonstration]:
        if self.config.best_conversations == 1 or not self.reward_model:
            return list(shown)
        return best_demonstrations(self.reward_model, self.policy.tokenizer, shown, self.config.best_conversations)

    @cached_property
    def reference_worker(self) -> RolloutWorker:
        """Answers as the policy did when it began."""
        return worker_of(self.config, self.reference)

    def rollouts(
        self, state: dict[str, Any], worker: RolloutWorker, samples: int = 1, pool: RolloutPool | None = None
    ) -> ScoredRollouts:
        """The answers to learn from. The scale of a reward model's scores is measured once and kept in `state`."""
        gold = self.comparison.judge.rule
        return ScoredRollouts(
            worker=worker,
            prompts=self.prompts,
            episodes=self.config.episodes,
            samples=samples,
            reward=self._reward(state),
            reference=self.reference.network,
            gold=ProgramReward(RULES[gold], self.policy.tokenizer) if gold else None,
            pool=pool,
        )

    def _reward(self, state: dict[str, Any]) -> WeightedSum:
        """With the scale of the reward model's scores, which is measured once."""
        if "score_mean" not in state:
            mean, std = scale_of(self.config, self.reward_model, self.prompts, self.reference_worker)
            state |= {"score_mean": mean, "score_std": std}
        return reward_of(self.config, self.policy, self.reward_model, (state["score_mean"], state["score_std"]))

    def learner(self, device: torch.device) -> Decoder:
        """The policy's network, made ready to learn."""
        network = self.policy.network.to(device)
        choose_learners(network, self.config.lora, self.config.seed)
        cast_linears(network, self.dtype)
        return network

    def check_memory(self) -> None:
        """Of what is kept for the backward pass: a minibatch of episodes, and what is learned beside it."""
        typical = sum(map(len, self.prompts)) // len(self.prompts) + self.config.max_tokens
        rows = -(-self.config.episodes // self.config.minibatches)
        check_memory(self.policy.network, rows, typical, self.config.micro_batches)
        check_memory_of_text(self.config, self.policy.network)

    def leave(
        self, folder: StageFolder, learned: nn.Module, optimizer: Optimizer, rollouts: ScoredRollouts
    ) -> dict[str, object]:
        """Leaves the policy and how it compares; returns the final figures. `learned` is the policy or holds it."""
        leave_policy(self.config, folder, self.policy, learned, optimizer)
        cast_linears(self.policy.network, self.dtype)
        changed = {"reference_changed": int(fingerprint(self.reference.network) != self.reference_began_as)}
        models = {OLD: (self.reference, self.reference_worker), self.comparison.name: (self.policy, rollouts.worker)}
        return compare(self.comparison, folder, models, rollouts.reward) | changed


def fingerprint(network: nn.Module) -> float:
    """A number that changes with any weight: cheap enough to take before and after a training."""
    return sum(float(parameter.detach().double().square().sum()) for parameter in network.parameters())


def learn_from_groups(config: GroupOptions, folder: StageFolder, verb: str, algorithm: Algorithm) -> dict[str, object]:
    """The whole of grpo and of rloo; says how many groups of answers had one score and taught nothing."""
    use_threads(config.threads)
    together = replicas(config.device)
    shard = together.batch_shard(config.micro_batches)
    shard.check_rows(config.episodes // config.minibatches)
    it = PolicyRun.read(config, folder, verb, together)
    auxiliary = it.auxiliary(verb)
    network = it.learner(together.device)
    optimizer = Optimizer(network, AdamW(weight_decay=0.0, epsilon=1e-5), Replicas(together))
    it.check_memory()
    trainer = GroupTrainer(policy=network, optimizer=optimizer, algorithm=algorithm, temperature=config.temperature,
                           epochs=config.epochs, minibatches=config.minibatches, auxiliary=auxiliary,
                           shard=shard)  # fmt: skip
    worker = worker_of(config, it.policy)
    rate = linear(config.learning_rate, config.updates, warmup=2)
    with session(folder, optimizer, config, steps=config.updates) as run, pool_of(config, together, worker) as pool:
        rollouts = it.rollouts(run.state, worker, config.samples, pool)
        for update in trainer.train(rollouts, rate, run.train_state, updates=config.updates, seed=config.seed):
            run.record(update.number, **update.metrics)
    if not together.first:
        return {}
    shares = [
        share for line in read_metrics(folder / "metrics.jsonl") if (share := line.get("equal_groups")) is not None
    ]
    equal = sum(shares) / len(shares)
    if equal:
        say(f"{verb}: {equal:.0%} of the groups had one score for all {config.samples} answers and taught nothing")
    return it.leave(folder, network, optimizer, rollouts) | {"equal_groups": equal}


def worker_of(config: AnsweringOptions, model: Model, value_head: ScalarHead | Critic | None = None) -> RolloutWorker:
    """Who answers with a model, as the options say."""
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature)
    engine = Engine(model.network, model.tokenizer.stop_ids)
    return RolloutWorker(engine=engine, sampling=sampling, pad=model.tokenizer.pad_id, seed=config.seed,
                         value_head=value_head)  # fmt: skip


def leave_policy(
    config: PolicyOptions, folder: StageFolder, policy: Model, learned: nn.Module, optimizer: Optimizer
) -> None:
    """Writes `model/`, and with LoRA `adapter/`."""
    restore_master_weights(learned, optimizer)
    if config.lora:
        leave_adapter(policy.network, optimizer, config.policy, folder / "adapter")
    if policy.sees:
        policy.save(folder / "model")
    else:
        export(policy.network, policy.tokenizer, folder / "model", CHAT_DEFAULTS)


def compare(
    comparison: Comparison,
    folder: StageFolder,
    models: Mapping[str, tuple[Model, RolloutWorker]],
    reward: RewardFunction | None,
    more: Evaluation = Evaluation(),  # noqa: B008 (it is frozen)
) -> dict[str, object]:
    """Writes evaluation.json and answers.jsonl of the start and the result; returns the final figures, and says them.

    Who wins is said with whose judgement, where there is one. What was measured `more` stands with the comparison.
    """
    candidates = {name: comparison.candidate(model, worker, reward) for name, (model, worker) in models.items()}
    found = comparison.evaluate(candidates, models[OLD][1].sampling.temperature)
    both = found["comparison"]
    write_evaluations(
        folder.path, found | {"comparison": replace(both, estimates={**both.estimates, **more.estimates})}
    )
    write_objects(folder / "answers.jsonl", comparison.answers(candidates))
    return _metrics(found, comparison)


def _metrics(found: Mapping[str, Evaluation], comparison: Comparison) -> dict[str, object]:
    name, wins = comparison.name, found["comparison"].estimates.get("win_rate")
    kl = found["comparison"].metrics["kl_nats"]
    rise = found[name].metrics["heldout_nats"] - found[OLD].metrics["heldout_nats"]
    won = ""
    if wins:
        won = (
            f"wins {wins.value:.1%} ({wins.low:.1%} to {wins.high:.1%}) of {wins.count} held-out prompts "
            f"against its base, by {comparison.judge}; "
        )
    say(f"{name}: {won}KL {kl:.1f} nats; held-out text {rise:+.2f} nats a token")
    for kind, after in found[name].estimates.items():
        if before := found[OLD].estimates.get(kind):
            say(f"{name}: {kind}: {before.value:.0%} → {after.value:.0%} ({after.low:.0%} to {after.high:.0%})")
    win_rate = {"win_rate": wins.value, "win_rate_low": wins.low} if wins else {}
    return {**win_rate, "kl_nats": kl, "heldout_nats_rise": rise}


def heldout_data(config: PolicyOptions, policy: Model, verb: str) -> HeldoutData:
    """Text and questions that show what is unlearned. Raises `InputError` for too little text."""
    within_context(config.sequence_length, policy.context)
    questions = open_questions(config.questions, policy, Intake(verb))
    text = require_window(open_tokens(config.tokens, "heldout", policy.tokenizer), config.sequence_length)
    return HeldoutData(text, config.sequence_length, questions)


def auxiliary_task(
    config: PolicyOptions,
    model: Model,
    verb: str,
    choose: Callable[[Sequence[Demonstration]], list[Demonstration]] = list,
) -> TextMixture:
    """What the policy goes on learning beside all else: pretraining text (PPO-ptx), and chosen conversations."""
    text = open_tokens(config.tokens, "train", model.tokenizer)
    sources: list[TokenSource] = [Windows(text, config.sequence_length, config.ptx_batch_size, config.seed + 2)]
    if config.conversations:
        intake = Intake(verb)
        found = [c for path in config.conversations for c in read_conversations(path, intake)]
        taught = [c for c in found if c.split != "heldout"]
        examples = demonstrations(taught, model.tokenizer, model.context, intake)
        intake.require(examples, "conversations to mix in", 'Correct their "split" or "language", or leave them out.')
        examples = choose(examples)
        held = f", {len(found) - len(taught):,} held out" if len(taught) < len(found) else ""
        intake.report(f"{len(examples):,} conversations mixed in{held}")
        sources.append(Demonstrations(examples, config.sft_batch_size, config.seed + 3, model.tokenizer.pad_id))
    return TextMixture(model.network, sources, config.ptx_weight)


def check_memory_of_text(config: PolicyOptions, network: nn.Module) -> None:
    """Of the windows and conversations beside what is learned."""
    check_memory(network, config.ptx_batch_size, config.sequence_length, config.micro_batches)
    check_memory(network, config.sft_batch_size, config.sequence_length, config.micro_batches)


def reward_model_of(config: ScoringOptions, policy: Model, device: torch.device) -> tuple[RewardModel | None, Judge]:
    """The model, if one is given, and who judges. Raises as `open_reward_model` does."""
    if config.reward is None:
        return None, Judge.of({}, config.rule)
    metrics = finished_stage(config.reward, "reward")["metrics"]
    return open_reward_model(config.reward, policy).to(device), Judge.of(metrics, config.rule)


def reward_of(
    config: ScoringOptions, policy: Model, model: RewardModel | None, scale: tuple[float, float]
) -> WeightedSum:
    """The reward model and the rule, as far as there are, added up; `scale` is the mean and spread of the model's."""
    parts: list[tuple[float, RewardFunction]] = []
    if model:
        parts.append((1.0, NormalizedReward(model, *scale, config.unended_score)))
    if config.rule:
        parts.append((config.rule_weight, ProgramReward(RULES[config.rule], policy.tokenizer)))
    return WeightedSum(parts, config.reward_clip or inf)


def scale_of(
    config: ScoringOptions, model: RewardModel | None, prompts: Sequence[Prompt], worker: RolloutWorker
) -> tuple[float, float]:
    """Mean and spread of the scores of the worker's answers to some prompts; 0 and 1 where no scale is wanted."""
    if not model or not config.normalize_rewards:
        return 0.0, 1.0
    fitted = NormalizedReward.fitted(model, worker.collect(_subset(prompts, SCALE_PROMPTS, worker.seed), "scale"))
    return fitted.mean, fitted.std


def check_rules(judge: Judge, rule: str, prompts: Sequence[Prompt]) -> None:
    """Of who judges and who rewards. Raises as `check_rule` does."""
    for name in {judge.rule, rule} - {None, ""}:
        check_rule(str(name), (prompt.fields for prompt in prompts))


def prompts_of(
    config: ScoringOptions, policy: Model, reward_model: RewardModel | None, intake: Intake
) -> tuple[list[Prompt], list[Prompt]]:
    """The prompts to train on and to measure on, none on both sides.

    Raises `InputError` when there are not two that leave room for an answer.
    """
    longest = min(policy.context, reward_model.config.context if reward_model else policy.context) - config.max_tokens
    found = prompts_within(read_asked(config.prompts), policy.chat_ids, longest, intake, policy.chat_content)
    sides = assign_splits([found], lambda prompt: text_of(prompt.messages), lambda prompt: prompt.line.split)
    intake.drop("that are held out too", count=sides.left_out)
    for side in (sides.train, sides.heldout):
        intake.require(side, f"at least two prompts in {config.prompts}, one to train on and one to measure on, of at "
                       f"most {longest:,} tokens", "Add prompts, or lower max_tokens.")  # fmt: skip
    heldout = _subset(sides.heldout, config.heldout_prompts, seed=0)
    intake.report(f"{len(sides.train):,} prompts to train on, {len(heldout):,} held out to measure on")
    return sides.train, heldout


def _subset(prompts: Sequence[Prompt], most: int, seed: int) -> list[Prompt]:
    """As many at most, from all over the file."""
    return [prompts[i] for i in epoch_order(len(prompts), min(most, len(prompts)), 0, key(seed, "some"))]
