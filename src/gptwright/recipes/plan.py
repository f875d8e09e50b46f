"""One dial: minutes to sizes. The measured speeds decide how many steps each stage gets; the result is a recipe.

Its `[plan]` notes what that rests on: `each`, the seconds of a step (of rank: a prompt; of ppo: an update); `fixed`,
the seconds of a stage that the dial does not change; `most`, how many steps are of use; `seconds`, what is meant for a
stage, all together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from gptwright.foundations.config import encode
from gptwright.models.catalogue import build, count
from gptwright.models.config import ModelConfig
from gptwright.models.gpt2 import GPT2Config
from gptwright.recipes.measure import Shape, Speeds, usual
from gptwright.recipes.read import Recipe, Step

# From small to large; the vocabulary grows with the width.
SIZES = {
    "pico": GPT2Config(vocab=2048, context=256, width=128, heads=4, layers=4),
    "nano": GPT2Config(vocab=2048, context=256, width=192, heads=6, layers=4),
    "micro": GPT2Config(vocab=4096, context=256, width=256, heads=8, layers=6),
    "mini": GPT2Config(vocab=4096, context=256, width=384, heads=12, layers=6),
    "small": GPT2Config(vocab=8192, context=512, width=512, heads=16, layers=8),
}
TOKENS_A_PARAMETER = 1.0  # a size is worth its while when it reads at least so many tokens for each parameter

# Shares of the time that is left when the fixed costs are paid.
SHARES = {"pretrain": 0.15, "sft": 0.45, "rank": 0.02, "reward": 0.06, "reward-control": 0.02, "ppo": 0.30}
# Less than this is no stage; where the minutes are too few for it, that is said.
LEAST = {"pretrain": 4, "sft": 4, "rank": 80, "reward": 4, "reward-control": 4, "ppo": 4}
# How often the same is learned at most: more is learned by heart, and what was known before is forgotten.
PASSES = {"pretrain": 8.0, "sft": 7.0, "reward": 2.0, "reward-control": 1.0}
MOST_UPDATES = 20
TEMPERATURE = 0.4  # of ppo: near the chat's; the colder, the farther in nats is the same change of style
KL_HORIZON = 300  # episodes in which β adapts, so that longer runs go no farther
CHARACTERS_A_TOKEN = 3.0
REPORT = 1.0  # seconds
PREPARE, TOKENIZE = 0.35, 0.4  # seconds a million characters
TEACHING = "bundled:teaching/conversations.jsonl"
RANKINGS = "bundled:teaching/rankings.jsonl.xz"
RULE = "friendly"  # who ranked them
QUESTIONS = "bundled:teaching/questions.jsonl"
QUESTION_COUNT, TEXT_WINDOWS, RANKING_WINDOWS, HELDOUT_PROMPTS = 744, 200, 300, 256
LOOKS = 8  # at held-out text during pretraining, and
FIRST_LOOK = 12.0  # seconds after its beginning one more, where the others come later
SAMPLES = 100  # answers in a batch that take as long as the two sample texts of a look


@dataclass(frozen=True, kw_only=True)
class Examples:
    """How much there is to learn from."""

    megacharacters: float
    """of text, roughly"""
    conversations: int
    rankings: int
    """to train on, whose prompts are answered and ranked anew"""

    def most(self, shape: Shape) -> dict[str, int]:
        """Steps, prompts and updates of each stage beyond which more is of no use."""
        windows = 1e6 * self.megacharacters / CHARACTERS_A_TOKEN / shape.sequence_length
        rankings = 2 * self.rankings / shape.rankings
        epochs = {"pretrain": windows / shape.batch_size, "sft": self.conversations / shape.conversations,
                  "reward": rankings, "reward-control": rankings}  # fmt: skip
        steps = {name: ceil(PASSES[name] * epoch) for name, epoch in epochs.items()}
        found = steps | {"rank": self.rankings // 4 * 5, "ppo": MOST_UPDATES}
        return {name: max(number, LEAST[name]) for name, number in found.items()}


def choose_size(minutes: float, step_seconds: Mapping[str, float], shape: Shape, examples: Examples) -> str:
    """The largest size that still reads enough tokens in its time. `step_seconds`: of pretraining, by size."""
    chosen = "pico"
    for name, seconds in step_seconds.items():
        speeds = usual(seconds)
        rest = 60 * minutes - sum(fixed_seconds(speeds, examples.megacharacters).values())
        steps = share_out(rest, each_seconds(speeds, shape), examples.most(shape))["pretrain"] / seconds
        if steps * shape.batch_size * shape.sequence_length >= TOKENS_A_PARAMETER * count(build(SIZES[name])):
            chosen = name
    return chosen


def fixed_seconds(speeds: Speeds, megacharacters: float) -> dict[str, float]:
    """What does not grow with the dial: reading the text, and looking at the results."""
    questions = QUESTION_COUNT * speeds.answer
    text = TEXT_WINDOWS * speeds.window
    rankings = RANKING_WINDOWS * speeds.window
    return {
        "prepare": 0.5 + PREPARE * megacharacters,
        "tokenize": 0.5 + TOKENIZE * megacharacters,
        "pretrain": 2.0 + LOOKS * (text / 4 + SAMPLES * speeds.answer) + text,
        "sft": 4.0 + 1.3 * questions + 3 * text,
        "rank": 1.0,
        "reward": 1.5 + rankings,
        "reward-control": 2.0 + rankings,
        "ppo": 1.5 + 1.5 * questions + 2 * text + (2 * HELDOUT_PROMPTS + 256) * speeds.answer,
        "report": REPORT,
    }


def each_seconds(speeds: Speeds, shape: Shape) -> dict[str, float]:
    """What the dial gives more or less of: a step, a prompt with all its answers, an update."""
    return {
        "pretrain": speeds.pretrain_step,
        "sft": speeds.sft_step,
        "rank": shape.answers * speeds.answer,
        "reward": speeds.reward_step,
        "reward-control": speeds.reward_step,
        "ppo": speeds.ppo_update,
    }


def share_out(seconds: float, each: Mapping[str, float], most: Mapping[str, int]) -> dict[str, float]:
    """Divides the seconds among the stages of `each`, by `SHARES`.

    A stage that would not come to its least gets it, and the others pay; all get their least where that is too much.
    What one would get beyond its `most` the others get, and nobody when all have their most.
    """
    given: dict[str, float] = {}
    rest = dict(each)
    while rest:
        whole = sum(SHARES[name] for name in rest)
        meant = {name: max(seconds, 0.0) * SHARES[name] / whole for name in rest}
        settled = {name: LEAST[name] for name in rest if meant[name] < LEAST[name] * rest[name]}
        settled = settled or {name: most[name] for name in rest if meant[name] > most[name] * rest[name]}
        if not settled:
            return given | meant
        for name, number in settled.items():
            given[name] = number * rest.pop(name)
            seconds -= given[name]
    return given


def amount(name: str, seconds: float, each: float) -> int:
    """Steps, prompts or updates of the stage that the seconds are enough for."""
    return max(int(seconds / each + 1e-6), LEAST[name])


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for, and what it is to run on."""

    minutes: float
    data: tuple[str, ...]
    seed: int
    model: str
    """its name, where one was asked for"""
    examples: Examples
    spent: float
    """seconds that went by until the plan was made"""
    max_characters: int
    """of it, what can be read in the time"""
    threads: int
    dtype: str
    """format of the matrices where there is a choice"""


def plan(wish: Wish, model: ModelConfig, speeds: Speeds, shape: Shape) -> Recipe:
    """The start recipe with every size resolved. Its seconds are more than the minutes where these are too few, and
    less where there is not enough to learn from."""
    fixed = {"start": wish.spent, **fixed_seconds(speeds, wish.examples.megacharacters)}
    each, most = each_seconds(speeds, shape), wish.examples.most(shape)
    meant = share_out(60 * wish.minutes - sum(fixed.values()), each, most)
    amounts = {name: amount(name, meant[name], each[name]) for name in each}
    return Recipe(
        "start",
        [Step(name, str(table.pop("verb", name)), table)
         for name, table in _tables(wish, model, shape, amounts, each).items()],
        {
            "minutes": wish.minutes, "data": list(wish.data), "seed": wish.seed, "model": wish.model,
            "seconds": {name: round(fixed[name] + meant.get(name, 0.0), 1) for name in fixed},
            "fixed": {name: round(seconds, 3) for name, seconds in fixed.items()},
            "each": {name: round(seconds, 6) for name, seconds in each.items()},
            "most": most,
        },
    )  # fmt: skip


def sizes_of(name: str, amount: int, each: float) -> dict[str, int]:
    """The settings of the stage that say how much of it there is, and those that follow from that; `each` takes so many
    seconds."""
    if name == "rank":
        return {"train_prompts": amount * 4 // 5, "heldout_prompts": amount // 5}
    if name == "ppo":
        return {"updates": amount, "save_every": max(amount // 5, 1)}
    saved = {"steps": amount, "save_every": max(amount // (5 if name in ("pretrain", "sft") else 3), 1)}
    if name == "pretrain":
        every, first = max(amount // LOOKS, 1), int(FIRST_LOOK / each)
        return saved | {"warmup": min(50, amount // 10 + 1), "eval_every": every, "first_eval": first * (first < every)}
    return saved


def amount_of(table: Mapping[str, Any]) -> int:
    """What `sizes_of` was given; 0 of a stage that has no such settings."""
    return (
        table.get("steps")
        or table.get("updates")
        or ("train_prompts" in table and table["train_prompts"] + table["heldout_prompts"])
    )


def _tables(
    wish: Wish, model: ModelConfig, shape: Shape, amounts: Mapping[str, int], each: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """The recipe's tables, by name and in order."""
    seed, threads = {"seed": wish.seed}, {"threads": wish.threads}
    taught = {"conversations": [TEACHING]}
    sizes = {name: sizes_of(name, count, each[name]) for name, count in amounts.items()}
    trained = {"dtype": wish.dtype, **threads, **seed}
    learning = {"sequence_length": shape.sequence_length, "optimizer": shape.optimizer,
                "learning_rate": 2 * _rate(model)}  # fmt: skip
    reward = {"base": "sft", "rankings": ["rank/rankings.jsonl", RANKINGS], "batch_size": shape.rankings,
              "learning_rate": _rate(model) / 4}  # fmt: skip
    return {
        "prepare": {"data": list(wish.data), "max_characters": wish.max_characters, **seed},
        "tokenize": {"text": "prepare", "vocab": model.vocab},
        "pretrain": {
            "tokens": "tokenize", "model": encode(model), "batch_size": shape.batch_size, **learning,
            **sizes["pretrain"], **trained,
        },
        "sft": {
            "base": "pretrain", **taught, "tokens": "tokenize", "questions": QUESTIONS,
            "batch_size": shape.conversations, "ptx_batch_size": shape.ptx_batch_size, "pack": True, **learning,
            **sizes["sft"], **trained,
        },
        "rank": {"model": "sft", "prompts": RANKINGS, "rule": RULE, **sizes["rank"], "answers": shape.answers,
                 **threads, **seed},
        "reward": reward | sizes["reward"] | trained,
        "reward-control": {"verb": "reward", **reward, "shuffled": True, **sizes["reward-control"], **trained},
        "ppo": {
            "policy": "sft", "reward": "reward", "prompts": "rank/prompts.jsonl", "tokens": "tokenize", **taught,
            "questions": QUESTIONS, **sizes["ppo"], "episodes": shape.episodes, "epochs": shape.epochs,
            "minibatches": shape.minibatches, "ptx_batch_size": shape.ppo_ptx_batch_size,
            "ptx_weight": shape.ppo_ptx_weight, "best_conversations": shape.best_conversations,
            "sft_batch_size": shape.sft_batch_size, "sequence_length": shape.sequence_length,
            "learning_rate": 2 * _rate(model), "lora": shape.lora, "warmup": 3,
            "temperature": TEMPERATURE, "beta": 0.01, "kl_horizon": KL_HORIZON,
            "heldout_prompts": HELDOUT_PROMPTS, **threads, **seed,
        },
    }  # fmt: skip


def _rate(model: ModelConfig) -> float:
    """Narrower models bear higher rates: 3e-3 at a width of 192, falling with its square root; GPT-1, whose norms come
    last, a third of them."""
    return round(3e-3 * (192 / model.width) ** 0.5 / (3 if model.family == "gpt1" else 1), 6)
