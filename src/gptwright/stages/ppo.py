"""ppo: the policy answers, the reward model judges, the policy moves, never far (InstructGPT §3.5, step 3)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstrations, demonstrations, read_conversations
from gptwright.alignment.judge import Judge
from gptwright.alignment.ppo import PPOConfig, update
from gptwright.alignment.prompts import Prompt, read_prompts, text_of
from gptwright.alignment.rollout import Rollout, ScoredRollout, collect_rollout, recompute_logprobs, score
from gptwright.configs.ppo import PPO
from gptwright.configs.validation import within_context
from gptwright.evaluation.answers import open_questions
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.device import use_device, use_threads
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.intake import Intake
from gptwright.foundations.runs import StageFolder, finished_stage
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import PolicyAndValue, RewardModel
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.comparison import Candidate, Measures, compare
from gptwright.stages.sft import CHAT_DEFAULTS
from gptwright.stages.tokenize import open_tokens
from gptwright.text.heldout import assign_splits
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import Windows, epoch_order, key
from gptwright.training.memory_check import check_memory
from gptwright.training.next_token import TextMixture
from gptwright.training.optimizer import Optimizer, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session

SCALED = 256  # prompts whose answers set the scale of the scores
NOT_ENDED = -1.0  # score, in standard deviations, of an answer that does not end (Huang et al. 2024, detail 23)


def run(config: PPO, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/`, value_head.safetensors, evaluation.json (wins, KL, text loss and answers of both models), and
    answers.jsonl: what both say to the held-out prompts, for people to rank.
    """
    use_threads(config.threads)
    device = use_device(config.device)
    start, reference = load_decoder(config.policy), load_decoder(config.policy)
    within_context(config.sequence_length, start.context)
    reward, judge = _reward_model(config.reward, start, device)
    questions = open_questions(config.questions, start, Intake("ppo"))
    text = require_window(open_tokens(config.tokens, "heldout", start.tokenizer), config.sequence_length)
    prompts, heldout = _prompts(config, start, reward.config.context)
    measures = Measures(heldout, text, config.sequence_length, questions, judge)
    memories = _memories(config, start)
    reference.network.to(device)
    agent = PolicyAndValue(start.network).to(device)
    optimizer = Optimizer(agent.named_parameters(), AdamW(weight_decay=0.0, epsilon=1e-5))
    _check_room(config, start, prompts)
    settings = PPOConfig(beta=config.beta, epochs=config.epochs, minibatches=config.minibatches,
                      value_weight=config.value_weight, temperature=config.temperature)  # fmt: skip

    writer, before = (Engine(model.network, model.tokenizer.stop_ids) for model in (start, reference))

    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature)

    def answer(writer: Engine, chosen: Sequence[list[int]], *seed: object) -> Rollout:
        seeded = replace(sampling, seed=key(config.seed, *seed) >> 2)
        return collect_rollout(writer, agent.value, chosen, seeded, start.tokenizer.pad_id)

    with session(folder, optimizer, config, steps=config.updates) as run:
        if "score_mean" not in run.state:
            run.state |= _scale(score(reward, answer(before, _some(prompts, SCALED, config.seed), "scale")))
        rate = linear(config.learning_rate, config.updates, warmup=2)
        for number in run.train_state.steps(config.updates):
            batch = number + run.train_state.skipped_batches
            order = epoch_order(len(prompts), config.episodes, batch, config.seed)
            rollout = answer(writer, [prompts[i] for i in order], batch)
            scores = _scores(reward, rollout, run.state)
            with torch.no_grad():
                judged = ScoredRollout(
                    rollout, recompute_logprobs(reference.network, None, rollout, config.temperature)[0], scores
                )
            metrics = update(
                agent,
                optimizer,
                run.train_state,
                judged,
                settings,
                rate=rate(number),
                seed=key(config.seed, batch),
                auxiliary_losses=_mixed(config, start, memories, batch),
            )
            run.record(number + 1, **metrics)
    restore_master_weights(agent, optimizer)
    export(start.network, start.tokenizer, folder / "model", CHAT_DEFAULTS)
    write_file(
        folder / "value_head.safetensors", lambda path: save_file({"score.weight": agent.value.score.weight}, path)
    )
    new, old = answer(writer, heldout, "heldout"), answer(before, heldout, "heldout")
    candidates = {
        "sft": Candidate(reference, old, _scores(reward, old, run.state)),
        "ppo": Candidate(start, new, _scores(reward, new, run.state)),
    }
    return compare(candidates, measures, config.temperature, folder)


def _mixed(
    config: PPO, policy: Model, memories: Sequence[Windows | Demonstrations], update_number: int
) -> Callable[[int, BatchShard], Iterator[Tensor]]:
    """The losses of text and conversations beside those of each minibatch of an update, weighted."""

    mixture = TextMixture(policy.network, memories, config.ptx_weight)

    def losses(minibatch: int, shard: BatchShard) -> Iterator[Tensor]:
        yield from mixture.loss(mixture.batch(update_number * config.epochs * config.minibatches + minibatch), shard)

    return losses


def _check_room(config: PPO, model: Model, prompts: Sequence[Sequence[int]]) -> None:
    """Of what is kept for the backward pass: a minibatch of episodes, and the windows and conversations beside it."""
    typical = sum(map(len, prompts)) // len(prompts) + config.max_tokens
    check_memory(model.network, -(-config.episodes // config.minibatches), typical, config.micro_batches)
    check_memory(model.network, config.ptx_batch_size, config.sequence_length, config.micro_batches)
    check_memory(model.network, config.sft_batch_size, config.sequence_length, config.micro_batches)


def _memories(config: PPO, model: Model) -> list[Windows | Demonstrations]:
    """What the policy goes on learning beside the rewards: pretraining text (PPO-ptx), and conversations."""
    memories: list[Windows | Demonstrations] = [
        Windows(
            open_tokens(config.tokens, "train", model.tokenizer),
            config.sequence_length,
            config.ptx_batch_size,
            config.seed + 2,
        )
    ]
    if config.conversations:
        intake = Intake("ppo")
        found = [c for path in config.conversations for c in read_conversations(path, intake)]
        taught = [c for c in found if c.split != "heldout"]
        examples = demonstrations(taught, model.tokenizer, model.context, intake)
        intake.require(examples, "conversations to mix in", 'Correct their "split" or "language", or leave them out.')
        held = f", {len(found) - len(taught):,} held out" if len(taught) < len(found) else ""
        intake.tell(f"{len(examples):,} conversations mixed in{held}")
        memories.append(Demonstrations(examples, config.sft_batch_size, config.seed + 3, model.tokenizer.pad_id))
    return memories


def _scale(scores: Tensor) -> dict[str, float]:
    """Mean and spread of the reference's scores, so that rewards start at 0 ± 1 (Huang et al. 2023, detail 9)."""
    return {"score_mean": float(scores.mean()), "score_std": float(scores.std(unbiased=False).clamp(min=1e-4))}


def _scores(reward: RewardModel, rollout: Rollout, scale: Mapping[str, float]) -> Tensor:
    """In standard deviations of the reference's; an answer without an end gets a fixed one."""
    scores = (score(reward, rollout) - scale["score_mean"]) / scale["score_std"]
    return torch.where(rollout.ended, scores, torch.full_like(scores, NOT_ENDED))


def _some(prompts: Sequence[Prompt], most: int, seed: int) -> list[Prompt]:
    """As many at most, from all over the file."""
    return [prompts[i] for i in epoch_order(len(prompts), min(most, len(prompts)), 0, key(seed, "some"))]


def _reward_model(path: Path, policy: Model, device: torch.device) -> tuple[RewardModel, Judge]:
    """The model, and who judges what it taught. Raises `ArtifactError` unless it reads the policy's ids as meant."""
    record = finished_stage(path, "reward")
    model = read_model(path / "model")
    if not isinstance(model, RewardModel):
        raise ArtifactError(f"a reward model in {path}", "a language model", "Give the folder of reward.")
    mine, theirs = policy.tokenizer, Tokenizer.load(path / "model")
    if mine.sha256 != theirs.sha256 or mine.special_tokens.chat_template != theirs.special_tokens.chat_template:
        what = "another tokenizer" if mine.sha256 != theirs.sha256 else "another chat template"
        raise ArtifactError(f"a reward model in {path} with the policy's tokenizer and chat template", what,
                            "Train it with reward --base on the model that is the policy.")  # fmt: skip
    return model.requires_grad_(False).to(device), Judge.of(record["metrics"])


def _prompts(config: PPO, model: Model, context: int | None = None) -> tuple[list[Prompt], list[Prompt]]:
    """The prompts to train on and to measure on, none on both sides; `context` is the reward model's.

    Raises `InputError` when there are not two that leave room for an answer.
    """
    intake = Intake("ppo")
    longest = min(model.context, context or model.context) - config.max_tokens
    found = read_prompts(config.prompts, model.tokenizer, longest, intake)
    sides = assign_splits([found], lambda prompt: text_of(prompt.messages), lambda prompt: prompt.line.split)
    intake.drop("that are held out too", count=sides.left_out)
    for side in (sides.train, sides.heldout):
        intake.require(side, f"at least two prompts in {config.prompts}, one to train on and one to measure on, of at "
                       f"most {longest:,} tokens", "Add prompts, or lower max_tokens.")  # fmt: skip
    heldout = _some(sides.heldout, config.heldout_prompts, seed=0)
    intake.tell(f"{len(sides.train):,} prompts to train on, {len(heldout):,} held out to measure on")
    return sides.train, heldout
