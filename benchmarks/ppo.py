"""PPO on a processor: this package against TRL 1.10, the last version of it that has PPO, on the same sizes.

    pip install 'trl==1.10.0' gptwright          (in an environment of its own)
    python benchmarks/ppo.py [--rounds 5] [--updates 3] [--threads 1] [--epochs 4]

4 layers × 256, a vocabulary of 4,096, prompts of 16 tokens and answers of 32, none of which ends; 32 episodes an update
in one minibatch, 4 passes or a single one; a reference and a reward model of the same size. TRL's critic is always a
model of its own; ours is measured both as a head on the policy's trunk and as such a model. The contestants take turns.
Prints processor seconds of an update, sampling and scoring included, which hardly depend on how busy the machine is.
The last line is the speed of a model of a million parameters with 16 + 24 tokens: episodes a second of the clock.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "CUDA_VISIBLE_DEVICES": ""}

import datasets
import torch
import transformers
from trl.experimental.ppo import PPOConfig as TRLConfig
from trl.experimental.ppo import PPOTrainer as TRLTrainer

from gptwright.alignment.ppo import PPOConfig, PPOTrainer
from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rewards import NormalizedReward
from gptwright.alignment.rollout_worker import RolloutWorker, ScoredRollouts
from gptwright.foundations.device import use_threads
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.heads import Critic, PolicyAndValue, RewardModel
from gptwright.text.jsonl import Line
from gptwright.training.adamw import AdamW
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import TrainState
from tokenizers import Tokenizer, models

VOCAB, CONTEXT, PROMPT, ANSWER, EPISODES, TEMPERATURE, RATE = 4096, 64, 16, 32, 32, 0.7, 1e-5
MEDIUM = GPT2Config(vocab=VOCAB, context=CONTEXT, width=256, heads=4, layers=4)
MILLION = GPT2Config(vocab=2048, context=CONTEXT, width=128, heads=4, layers=4)


def prompts(vocab: int, count: int) -> list[list[int]]:
    """Of random ids, the same for all."""
    random = torch.Generator().manual_seed(1)
    return torch.randint(3, vocab, (count, PROMPT), generator=random).tolist()


def ours(
    model: GPT2Config, *, apart: bool, epochs: int, episodes: int = EPISODES, answer: int = ANSWER
) -> Callable[[int], list[tuple[float, float]]]:
    """Does so many updates, and says the processor's and the clock's seconds of each."""
    policy, reference, reward = build(model, seed=1), build(model, seed=1), RewardModel(build(model, seed=2))
    agent = PolicyAndValue(policy, Critic(RewardModel(build(model, seed=2))) if apart else None)
    worker = RolloutWorker(engine=Engine(policy, []), sampling=Sampling(max_tokens=answer, temperature=TEMPERATURE),
                           pad=0, seed=1, value_head=agent.value)  # fmt: skip
    asked = [Prompt(Line({}, ""), [], ids) for ids in prompts(model.vocab, 8 * episodes)]
    rollouts = ScoredRollouts(worker=worker, prompts=asked, episodes=episodes,
                              reward=NormalizedReward(reward.requires_grad_(False)), reference=reference)  # fmt: skip
    config = PPOConfig(beta=0.05, value_weight=0.1, temperature=TEMPERATURE)
    trainer: PPOTrainer[Any] = PPOTrainer(
        agent=agent,
        optimizer=Optimizer(agent, AdamW(weight_decay=0.0, epsilon=1e-5)),
        config=config,
        epochs=epochs,
        minibatches=1,
    )
    state = TrainState()

    def updates(count: int) -> list[tuple[float, float]]:
        marks = [(time.process_time(), time.perf_counter())]
        for _ in trainer.train(rollouts, lambda _: RATE, state, updates=state.done + count, seed=1):
            marks.append((time.process_time(), time.perf_counter()))
        return differences(marks)

    return updates


class Marks(transformers.TrainerCallback):
    """When TRL's updates ended."""

    def __init__(self) -> None:
        self.at: list[tuple[float, float]] = []

    def on_step_end(self, *_: object, **__: object) -> None:
        self.at.append((time.process_time(), time.perf_counter()))


def theirs(epochs: int, threads: int) -> Callable[[int], list[tuple[float, float]]]:
    """The same of TRL; what lies before its first update's end is not counted."""
    backend = Tokenizer(models.WordLevel({f"t{i}": i for i in range(VOCAB)}, unk_token="t2"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="t0", eos_token="t1")
    shape = transformers.GPT2Config(vocab_size=VOCAB, n_positions=CONTEXT, n_embd=256, n_layer=4, n_head=4,
                                    bos_token_id=1, eos_token_id=1, pad_token_id=0, num_labels=1, resid_pdrop=0.0,
                                    embd_pdrop=0.0, attn_pdrop=0.0)  # fmt: skip
    rows = datasets.Dataset.from_dict({"input_ids": prompts(VOCAB, 8 * EPISODES)})
    folder = tempfile.mkdtemp()
    policy, reference = (transformers.GPT2LMHeadModel(shape) for _ in range(2))
    value, reward = (transformers.GPT2ForSequenceClassification(shape) for _ in range(2))

    def updates(count: int) -> list[tuple[float, float]]:
        marks = Marks()
        config = TRLConfig(output_dir=folder, per_device_train_batch_size=EPISODES, gradient_accumulation_steps=1,
                           num_mini_batches=1, num_ppo_epochs=epochs, total_episodes=(count + 1) * EPISODES,
                           local_rollout_forward_batch_size=EPISODES, response_length=ANSWER, temperature=TEMPERATURE,
                           learning_rate=RATE, num_sample_generations=0, use_cpu=True, bf16=False, report_to=[],
                           gradient_checkpointing=False, save_strategy="no", logging_strategy="no",
                           disable_tqdm=True)  # fmt: skip
        trainer = TRLTrainer(config, tokenizer, policy, reference, reward, rows, value, eval_dataset=rows,
                             callbacks=[marks])  # fmt: skip
        torch.set_num_threads(threads)
        trainer.train()
        return differences(marks.at)

    return updates


def differences(marks: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Processor and clock between neighbours."""
    return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(marks)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=3, help="of a contestant in a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, nargs="+", default=[4, 1], help="passes over a rollout")
    args = parser.parse_args()
    use_threads(args.threads)
    for epochs in args.epochs:
        contestants = {
            "shared trunk": ours(MEDIUM, apart=False, epochs=epochs),
            "separate critic": ours(MEDIUM, apart=True, epochs=epochs),
            "TRL": theirs(epochs, args.threads),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(args.rounds):
            for name, updates in contestants.items():
                seconds[name] += [processor for processor, _ in updates(args.updates)]
        for name, found in seconds.items():
            times = statistics.median(seconds["TRL"]) / statistics.median(found)
            print(f"{epochs} passes, {name:16} {statistics.median(found):6.2f} s an update, {times:.2f} × as fast as "
                  f"TRL (best {min(found):.2f})", flush=True)  # fmt: skip
    small = ours(MILLION, apart=False, epochs=1, episodes=128, answer=24)
    small(1)
    clocks = small(args.rounds)
    parameters = sum(parameter.numel() for parameter in build(MILLION).parameters())
    best, processor = min(clock for _, clock in clocks), min(processor for processor, _ in clocks)
    print(f"{parameters:,} parameters: {128 / best:.0f} episodes a second, "
          f"{processor / 128 * 1000:.1f} ms of processor each")  # fmt: skip


if __name__ == "__main__":
    main()
