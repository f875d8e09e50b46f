"""ppo: the policy answers, the reward model judges, the policy moves, never far (InstructGPT §3.5, step 3)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save_file

from gptwright.alignment.demonstrations import Demonstrations, demonstrations, read_conversations
from gptwright.alignment.judge import Judge
from gptwright.alignment.ppo import PPOConfig, PPOTrainer
from gptwright.alignment.prompts import Prompt, read_prompts, text_of
from gptwright.alignment.rewards import NormalizedReward, ProgramReward, RewardFunction, WeightedSum
from gptwright.alignment.rollout_worker import RolloutWorker, ScoredRollouts
from gptwright.configs.ppo import PPO
from gptwright.configs.validation import within_context
from gptwright.evaluation.answers import open_questions
from gptwright.evaluation.comparison import NEW, OLD, Comparison
from gptwright.evaluation.heldout_data import HeldoutData
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.device import use_device, use_threads
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, finished_stage
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.layers.lora import choose_learners
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import PolicyAndValue, RewardModel, ScalarHead
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.tokenize import open_tokens
from gptwright.tasks.sft import CHAT_DEFAULTS
from gptwright.text.heldout import assign_splits
from gptwright.text.jsonl import write_objects
from gptwright.text.rule_labeller import RULES
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.adamw import AdamW
from gptwright.training.batches import Windows, epoch_order, key
from gptwright.training.evaluation import Evaluation, write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.next_token import TextMixture, TokenSource
from gptwright.training.optimizer import Optimizer, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session

SCALE_PROMPTS = 256  # prompts whose answers set the scale of the scores


def run(config: PPO, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, value_head.safetensors, evaluation.json (wins, KL, text loss and answers of both models), and
    answers.jsonl: what both say to the held-out prompts, for people to rank.
    """
    use_threads(config.threads)
    device = use_device(config.device)
    policy, reference = load_decoder(config.policy), load_decoder(config.policy)
    within_context(config.sequence_length, policy.context)
    reward_model, judge = _reward_model(config, policy, device)
    prompts, comparison = _comparison(config, policy, reward_model, judge)
    auxiliary = _auxiliary_task(config, policy)
    reference.network.to(device)
    choose_learners(policy.network, config.lora, config.seed)
    agent = PolicyAndValue(policy.network).to(device)
    optimizer = Optimizer(agent, AdamW(weight_decay=0.0, epsilon=1e-5))
    _check_memory(config, policy, prompts)
    trainer = PPOTrainer(agent=agent, optimizer=optimizer, config=_ppo_config(config), auxiliary=auxiliary)
    worker, reference_worker = _worker(config, policy, agent.value), _worker(config, reference)
    rate = linear(config.learning_rate, config.updates, warmup=2)
    with session(folder, optimizer, config, steps=config.updates) as run:
        some = _subset(prompts, SCALE_PROMPTS, config.seed)
        normalized = _normalized(run.state, reward_model, reference_worker, some) if reward_model else None
        reward = _reward(config, normalized, policy.tokenizer)
        gold = ProgramReward(RULES[judge.rule], policy.tokenizer) if judge.rule else None
        rollouts = ScoredRollouts(worker=worker, prompts=prompts, episodes=config.episodes, reward=reward,
                                  reference=reference.network, gold=gold)  # fmt: skip
        for update in trainer.train(rollouts, rate, run.train_state, updates=config.updates, seed=config.seed):
            run.record(update.number, **update.metrics)
    restore_master_weights(agent, optimizer)
    if config.lora:
        leave_adapter(policy.network, optimizer, config.policy, folder / "adapter")
    export(policy.network, policy.tokenizer, folder / "model", CHAT_DEFAULTS)
    head = {"score.weight": agent.value.score.weight}
    write_file(folder / "value_head.safetensors", lambda path: save_file(head, path))
    candidates = {OLD: comparison.candidate(reference, reference_worker, reward),
                  NEW: comparison.candidate(policy, worker, reward)}  # fmt: skip
    found = comparison.evaluate(candidates, config.temperature)
    write_evaluations(folder.path, found)
    write_objects(folder / "answers.jsonl", comparison.answers(candidates))
    return _metrics(found, judge)


def _ppo_config(config: PPO) -> PPOConfig:
    return PPOConfig(beta=config.beta, epochs=config.epochs, minibatches=config.minibatches,
                     value_weight=config.value_weight, temperature=config.temperature)  # fmt: skip


def _worker(config: PPO, model: Model, value_head: ScalarHead | None = None) -> RolloutWorker:
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature)
    engine = Engine(model.network, model.tokenizer.stop_ids)
    return RolloutWorker(engine=engine, sampling=sampling, pad=model.tokenizer.pad_id, seed=config.seed,
                         value_head=value_head)  # fmt: skip


def _reward(config: PPO, normalized: NormalizedReward | None, tokenizer: Tokenizer) -> WeightedSum:
    """The reward model and the rule, as far as there are, added up."""
    parts: list[tuple[float, RewardFunction]] = [(1.0, normalized)] if normalized else []
    if config.rule:
        parts.append((config.rule_weight, ProgramReward(RULES[config.rule], tokenizer)))
    return WeightedSum(parts)


def _normalized(
    state: dict[str, Any], model: RewardModel, reference: RolloutWorker, prompts: Sequence[Prompt]
) -> NormalizedReward:
    """The scale of the scores is measured on the reference's answers once, and kept in the checkpoints' `state`."""
    if "score_mean" not in state:
        reward = NormalizedReward.fitted(model, reference.collect(prompts, "scale"))
        state |= {"score_mean": reward.mean, "score_std": reward.std}
    return NormalizedReward(model, state["score_mean"], state["score_std"])


def _comparison(
    config: PPO, policy: Model, reward_model: RewardModel | None, judge: Judge
) -> tuple[list[Prompt], Comparison]:
    """The prompts to train on, and what the result is measured on."""
    questions = open_questions(config.questions, policy, Intake("ppo"))
    text = require_window(open_tokens(config.tokens, "heldout", policy.tokenizer), config.sequence_length)
    prompts, heldout = _prompts(config, policy, reward_model.config.context if reward_model else policy.context)
    return prompts, Comparison(heldout, HeldoutData(text, config.sequence_length, questions), judge)


def _metrics(found: Mapping[str, Evaluation], judge: Judge) -> dict[str, object]:
    """The final figures; says who wins and by whose judgement."""
    wins, kl = found["comparison"].estimates["win_rate"], found["comparison"].metrics["kl_nats"]
    rise = found[NEW].metrics["heldout_nats"] - found[OLD].metrics["heldout_nats"]
    say(f"ppo: wins {wins.value:.1%} ({wins.low:.1%} to {wins.high:.1%}) of {wins.count} held-out prompts against sft, "
        f"by {judge}; KL {kl:.1f} nats; held-out text {rise:+.2f} nats a token")  # fmt: skip
    return {"win_rate": wins.value, "win_rate_low": wins.low, "kl_nats": kl, "heldout_nats_rise": rise}


def _check_memory(config: PPO, model: Model, prompts: Sequence[Sequence[int]]) -> None:
    """Of what is kept for the backward pass: a minibatch of episodes, and the windows and conversations beside it."""
    typical = sum(map(len, prompts)) // len(prompts) + config.max_tokens
    check_memory(model.network, -(-config.episodes // config.minibatches), typical, config.micro_batches)
    check_memory(model.network, config.ptx_batch_size, config.sequence_length, config.micro_batches)
    check_memory(model.network, config.sft_batch_size, config.sequence_length, config.micro_batches)


def _auxiliary_task(config: PPO, model: Model) -> TextMixture:
    """What the policy goes on learning beside the rewards: pretraining text (PPO-ptx), and conversations."""
    text = open_tokens(config.tokens, "train", model.tokenizer)
    sources: list[TokenSource] = [Windows(text, config.sequence_length, config.ptx_batch_size, config.seed + 2)]
    if config.conversations:
        intake = Intake("ppo")
        found = [c for path in config.conversations for c in read_conversations(path, intake)]
        taught = [c for c in found if c.split != "heldout"]
        examples = demonstrations(taught, model.tokenizer, model.context, intake)
        intake.require(examples, "conversations to mix in", 'Correct their "split" or "language", or leave them out.')
        held = f", {len(found) - len(taught):,} held out" if len(taught) < len(found) else ""
        intake.report(f"{len(examples):,} conversations mixed in{held}")
        sources.append(Demonstrations(examples, config.sft_batch_size, config.seed + 3, model.tokenizer.pad_id))
    return TextMixture(model.network, sources, config.ptx_weight)


def _subset(prompts: Sequence[Prompt], most: int, seed: int) -> list[Prompt]:
    """As many at most, from all over the file."""
    return [prompts[i] for i in epoch_order(len(prompts), min(most, len(prompts)), 0, key(seed, "some"))]


def _reward_model(config: PPO, policy: Model, device: torch.device) -> tuple[RewardModel | None, Judge]:
    """The model, if one is given, and who judges. Raises `ArtifactError` unless it reads the policy's ids as meant."""
    if config.reward is None:
        return None, Judge.of({}, config.rule)
    path, record = config.reward, finished_stage(config.reward, "reward")
    model = read_model(path / "model")
    if not isinstance(model, RewardModel):
        raise ArtifactError(f"a reward model in {path}", "a language model", "Give the folder of reward.")
    mine, theirs = policy.tokenizer, Tokenizer.load(path / "model")
    if mine.sha256 != theirs.sha256 or mine.special_tokens.chat_template != theirs.special_tokens.chat_template:
        what = "another tokenizer" if mine.sha256 != theirs.sha256 else "another chat template"
        raise ArtifactError(f"a reward model in {path} with the policy's tokenizer and chat template", what,
                            "Train it with reward --base on the model that is the policy.")  # fmt: skip
    return model.requires_grad_(False).to(device), Judge.of(record["metrics"], config.rule)


def _prompts(config: PPO, model: Model, reward_context: int) -> tuple[list[Prompt], list[Prompt]]:
    """The prompts to train on and to measure on, none on both sides.

    Raises `InputError` when there are not two that leave room for an answer.
    """
    intake = Intake("ppo")
    longest = min(model.context, reward_context) - config.max_tokens
    found = read_prompts(config.prompts, model.tokenizer, longest, intake)
    sides = assign_splits([found], lambda prompt: text_of(prompt.messages), lambda prompt: prompt.line.split)
    intake.drop("that are held out too", count=sides.left_out)
    for side in (sides.train, sides.heldout):
        intake.require(side, f"at least two prompts in {config.prompts}, one to train on and one to measure on, of at "
                       f"most {longest:,} tokens", "Add prompts, or lower max_tokens.")  # fmt: skip
    heldout = _subset(sides.heldout, config.heldout_prompts, seed=0)
    intake.report(f"{len(sides.train):,} prompts to train on, {len(heldout):,} held out to measure on")
    return sides.train, heldout
