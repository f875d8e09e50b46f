"""ppo: the policy answers, the reward model judges, the policy moves, never far (InstructGPT §3.5, step 3)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstration, Demonstrations, read_conversations
from gptwright.alignment.labeller import RULES
from gptwright.alignment.ppo import Update, update
from gptwright.alignment.rollout import Judged, Rollout, read_again, roll_out, score
from gptwright.engine.engine import Engine
from gptwright.engine.sampling import Sampling
from gptwright.evaluation.answers import Question, exact_answers, read_questions
from gptwright.evaluation.perplexity import text_loss
from gptwright.evaluation.preference import distinct_pairs, win_rate
from gptwright.foundations.device import use_device, use_threads
from gptwright.foundations.durable import write_file, write_json
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError, nearest
from gptwright.foundations.progress import say
from gptwright.foundations.runs import FREE, StageFolder, finished_stage
from gptwright.foundations.settings import Count, Range, Rate, Rows, Seed, Size, Threads, Weight, settings
from gptwright.generation.export import export
from gptwright.generation.load import load_decoder
from gptwright.generation.model import Model
from gptwright.models.heads import PolicyAndValue, RewardModel
from gptwright.models.huggingface import read_model
from gptwright.objectives.ppo import kl_estimates
from gptwright.pretraining.next_token import next_token_losses
from gptwright.stages.limits import within_context
from gptwright.stages.sft import CHAT_DEFAULTS
from gptwright.stages.tokenize import open_tokens
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat import prompt_ids, read_messages
from gptwright.training.adamw import AdamW
from gptwright.training.batches import Windows, epoch_order, key
from gptwright.training.optimizer import Optimizer, release
from gptwright.training.room import check_room
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.share import Share

NOT_ENDED = -1.0  # score, in standard deviations, of an answer that does not end (Huang et al. 2024, detail 23)


@settings
class PPO:
    """Improve a policy with a reward model."""

    policy: Path
    """folder of sft: where the policy begins, and the reference it is held to"""
    reward: Path
    """folder of reward"""
    prompts: Path
    """JSON Lines of prompts; those with "split": "heldout" measure the result"""
    tokens: Path
    """folder of tokenize: pretraining text mixed in (PPO-ptx)"""
    conversations: tuple[Path, ...] = ()
    """JSON Lines of conversations mixed in, so that what was taught is not unlearned"""
    questions: Path | None = None
    """JSON Lines of questions, to see what the policy unlearns"""
    rule: str = "plain-words"
    """judge of the held-out answers; the policy never sees it"""
    updates: Count = 20
    """rollouts, each followed by optimisation"""
    episodes: Rows = 128
    """answers a rollout"""
    epochs: Count = 2
    """passes over a rollout"""
    minibatches: Count = 4
    """optimiser steps a pass"""
    max_tokens: Size = 48
    """an answer's length at most"""
    temperature: Annotated[float, Range(0, 100, above=True)] = 0.7
    """of sampling, and of the probabilities that are compared"""
    beta: Weight = 0.06
    """weight of the KL to the reference"""
    value_weight: Weight = 0.1
    """weight of the value loss"""
    mix_rows: Rows = 1
    """windows of pretraining text a minibatch"""
    demonstration_rows: Rows = 12
    """conversations a minibatch"""
    mix_weight: Weight = 0.5
    """weight of the losses of text and conversations"""
    length: Size = 128
    """tokens of such a window"""
    rate: Rate = 8e-4
    """peak learning rate"""
    threads: Threads = 2
    """processor threads; another number gives slightly other weights"""
    device: str = field(default="auto", metadata=FREE)
    """what computes: cuda, mps, cpu, or auto: the first of these that is there"""
    save_every: Count = 5
    """updates between checkpoints"""
    keep: Count = 2
    """checkpoints that stay"""
    pieces: Count = 1
    """micro-batches of a minibatch, one after the other: more need less memory"""
    heldout: Count = 256
    """held-out prompts to judge"""
    seed: Seed = 1
    """order of the prompts, and sampling"""

    def __post_init__(self) -> None:
        if self.minibatches > self.episodes:
            raise ConfigError(f"minibatches of at most the {self.episodes} episodes", f"{self.minibatches}",
                              "Lower minibatches or raise episodes.")  # fmt: skip
        if self.rule not in RULES:
            raise ConfigError("the name of a rule", f"'{self.rule}'", nearest(self.rule, RULES))


def run(config: PPO, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/`, value_head.safetensors and evaluation.json: wins, KL, text loss and answers of both models."""
    use_threads(config.threads)
    device = use_device(config.device)
    start, reference = load_decoder(config.policy), load_decoder(config.policy)
    within_context(config.length, start.context)
    reward = _reward_model(config.reward).to(device)
    questions = read_questions(read_objects(config.questions)) if config.questions else []
    reference.network.to(device)
    agent = PolicyAndValue(start.network).to(device)
    optimizer = Optimizer(agent.named_parameters(), AdamW(decay=0.0, epsilon=1e-5))
    memories = _memories(config, start)
    prompts, heldout = _prompts(config, start)
    _check_room(config, start, prompts)
    settings = Update(beta=config.beta, epochs=config.epochs, minibatches=config.minibatches,
                      value_weight=config.value_weight, temperature=config.temperature)  # fmt: skip

    writer, before = (Engine(model.network, model.tokenizer.stop_ids) for model in (start, reference))

    def answer(writer: Engine, chosen: Sequence[list[int]], *seed: object) -> Rollout:
        sampling = Sampling(
            max_tokens=config.max_tokens, temperature=config.temperature, seed=key(config.seed, *seed) >> 2
        )
        return roll_out(writer, agent.value, chosen, sampling, start.tokenizer.pad)

    def remember(update_number: int) -> Callable[[int, Share], Iterator[Tensor]]:
        def losses(minibatch: int, share: Share) -> Iterator[Tensor]:
            for source in memories:
                batch = source.batch(update_number * config.epochs * config.minibatches + minibatch)
                for loss in next_token_losses(start.network, *batch, share):
                    yield config.mix_weight * loss

        return losses

    with session(
        folder, optimizer, steps=config.updates, save_every=config.save_every, kept=config.keep, pieces=config.pieces
    ) as run:
        if "score_mean" not in run.state:
            run.state |= _scale(score(reward, answer(before, prompts[:256], "scale")))
        rate = linear(config.rate, config.updates, warmup=2)
        for number in run.course.steps(config.updates):
            batch = number + run.course.passed
            order = epoch_order(len(prompts), config.episodes, batch, config.seed)
            rollout = answer(writer, [prompts[i] for i in order], batch)
            scores = (score(reward, rollout) - run.state["score_mean"]) / run.state["score_std"]
            scores = torch.where(rollout.ended, scores, torch.full_like(scores, NOT_ENDED))
            with torch.no_grad():
                judged = Judged(rollout, read_again(reference.network, None, rollout, config.temperature)[0], scores)
            figures = update(agent, optimizer, run.course, judged, settings, rate=rate(number),
                             seed=key(config.seed, batch), also=remember(batch))  # fmt: skip
            run.record(number + 1, **figures)
    release(agent, optimizer)
    export(start.network, start.tokenizer, folder / "model", CHAT_DEFAULTS)
    write_file(
        folder / "value_head.safetensors", lambda path: save_file({"score.weight": agent.value.score.weight}, path)
    )
    after = answer(writer, heldout, "heldout")
    old = answer(before, heldout, "heldout")
    return _evaluate(config, folder, {"sft": reference, "ppo": start}, {"sft": old, "ppo": after}, questions)


def _check_room(config: PPO, model: Model, prompts: Sequence[Sequence[int]]) -> None:
    """Of what is kept for the backward pass: a minibatch of episodes, and the windows and conversations beside it."""
    typical = sum(map(len, prompts)) // len(prompts) + config.max_tokens
    check_room(model.network, -(-config.episodes // config.minibatches), typical, config.pieces)
    check_room(model.network, config.mix_rows, config.length, config.pieces)
    check_room(model.network, config.demonstration_rows, config.length, config.pieces)


def _memories(config: PPO, model: Model) -> list[Windows | Demonstrations]:
    """What the policy goes on learning beside the rewards: pretraining text (PPO-ptx), and conversations."""
    memories: list[Windows | Demonstrations] = [
        Windows(open_tokens(config.tokens, "train", model.tokenizer), config.length, config.mix_rows, config.seed + 2)
    ]
    if config.conversations:
        taught = [c for path in config.conversations for c in read_conversations(path)]
        examples = [Demonstration.of(c, model.tokenizer, model.context) for c in taught]
        pad = model.tokenizer.pad
        memories.append(Demonstrations(examples, config.demonstration_rows, config.seed + 3, pad))
    return memories


def _scale(scores: Tensor) -> dict[str, float]:
    """Mean and spread of the reference's scores, so that rewards start at 0 ± 1 (Huang et al. 2023, detail 9)."""
    return {"score_mean": float(scores.mean()), "score_std": float(scores.std(unbiased=False).clamp(min=1e-4))}


def _reward_model(path: Path) -> RewardModel:
    finished_stage(path, "reward")
    model = read_model(path / "model")
    if not isinstance(model, RewardModel):
        raise ArtifactError(f"a reward model in {path}", "a language model", "Give the folder of reward.")
    return model.requires_grad_(False)


def _prompts(config: PPO, model: Model) -> tuple[list[list[int]], list[list[int]]]:
    split: dict[str, list[list[int]]] = {"train": [], "heldout": []}
    for number, line in enumerate(read_objects(config.prompts), 1):
        where = f"line {number} of {config.prompts}"
        given = line.get("messages") or [{"role": "user", "content": line.get("prompt")}]
        ids = prompt_ids(read_messages(given, where), model.tokenizer)
        side = str(line.get("split", "train"))
        if side not in split:
            raise InputError(f'"split" of train or heldout on {where}', f"'{side}'", nearest(side, split))
        if len(ids) + config.max_tokens <= model.context:
            split[side].append(ids)
    if not split["heldout"]:
        cut = max(1, len(split["train"]) // 10)
        split = {"train": split["train"][cut:], "heldout": split["train"][:cut]}
    if not split["train"]:
        raise InputError(f"prompts that leave room for {config.max_tokens} tokens in {config.prompts}", "none",
                         "Add prompts, or lower max_tokens.")  # fmt: skip
    return split["train"], split["heldout"][: config.heldout]


def _evaluate(
    config: PPO, folder: StageFolder, models: dict[str, Model], said: dict[str, Rollout], questions: Sequence[Question]
) -> dict[str, Any]:
    """Both models on the held-out prompts, on held-out text and on the questions."""
    judge, policy, new = RULES[config.rule], models["ppo"], said["ppo"]
    texts = {name: _texts(policy, rollout) for name, rollout in said.items()}
    wins = win_rate(texts["ppo"], texts["sft"], judge)
    with torch.no_grad():
        mine, theirs = (read_again(models[n].network, None, new, config.temperature)[0] for n in ("ppo", "sft"))
    k1, k3 = kl_estimates(mine, theirs, new.said)
    heldout = open_tokens(config.tokens, "heldout", policy.tokenizer)
    about: dict[str, dict[str, Any]] = {}
    for name, model in models.items():
        loss = text_loss(model.network, heldout, length=config.length, windows=200)
        about[name] = {
            "rule_score": sum(max(judge(t), -20.0) for t in texts[name]) / len(texts[name]),
            "distinct_pairs": distinct_pairs(texts[name]),
            "answer_words": sum(len(t.split()) for t in texts[name]) / len(texts[name]),
            "heldout_nats": loss.nats,
            "heldout_bits_per_byte": loss.bits_per_byte,
            "exact_answers": {kind: vars(e) for kind, e in exact_answers(model, questions).items()},
            "examples": texts[name][:4],
        }
    asked = [policy.tokenizer.decode(ids[:n].tolist()) for ids, n in zip(new.ids[:4], new.prompt_lengths, strict=False)]
    rise = about["ppo"]["heldout_nats"] - about["sft"]["heldout_nats"]
    write_json(folder / "evaluation.json", {
        "win_rate": vars(wins), "kl_nats": k1, "kl_k3_nats": k3, "rule": config.rule, "prompts": asked, "models": about,
    })  # fmt: skip
    say(f"ppo: wins {wins.value:.1%} ({wins.low:.1%} to {wins.high:.1%}) of {wins.count} held-out prompts against sft; "
        f"KL {k1:.1f} nats; held-out text {rise:+.2f} nats a token")  # fmt: skip
    return {"win_rate": wins.value, "win_rate_low": wins.low, "kl_nats": k1, "heldout_nats_rise": rise}


def _texts(model: Model, rollout: Rollout) -> list[str]:
    rows = zip(rollout.tokens, rollout.said, strict=True)
    return [model.tokenizer.decode(row[said].tolist()).strip() for row, said in rows]
