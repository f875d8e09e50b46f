"""One dial: minutes to sizes. The measured speeds decide how many steps each stage gets; the result is a recipe.

Its `[plan]` notes what that rests on: `each`, the seconds of a step (of rank: a prompt; of ppo: an update); `fixed`,
the seconds of a stage that the dial does not change; `seconds`, what is meant for a stage, both together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gptwright.foundations.config import encode
from gptwright.models.catalogue import build, count
from gptwright.models.gpt2 import GPT2Config
from gptwright.recipes.measure import Shape, Speeds
from gptwright.recipes.read import Recipe, Step

# From small to large; the vocabulary grows with the width.
SIZES = {
    "pico": GPT2Config(vocab=2048, context=256, width=128, heads=4, layers=4),
    "nano": GPT2Config(vocab=2048, context=256, width=192, heads=6, layers=4),
    "micro": GPT2Config(vocab=4096, context=256, width=256, heads=8, layers=6),
    "mini": GPT2Config(vocab=4096, context=256, width=384, heads=12, layers=6),
    "small": GPT2Config(vocab=8192, context=512, width=512, heads=16, layers=8),
}
TOKENS_A_PARAMETER = 0.5  # a size is worth its while when it reads at least so many tokens for each parameter

# Shares of the time that is left when the fixed costs are paid.
SHARES = {"pretrain": 0.28, "sft": 0.35, "rank": 0.06, "reward": 0.05, "reward-control": 0.04, "ppo": 0.22}
# Less than this is no stage; where the minutes are too few for it, that is said.
LEAST = {"pretrain": 4, "sft": 4, "rank": 80, "reward": 4, "reward-control": 4, "ppo": 4}
REPORT = 1.0  # seconds
PREPARE, TOKENIZE = 0.1, 0.2  # seconds a million characters
TEACHING = "bundled:teaching/conversations.jsonl"
SMALLTALK = "bundled:conversations.jsonl.xz"
SMALLTALK_TIMES = 6  # its few lines would drown among thousands of facts
RANKINGS = "bundled:teaching/rankings.jsonl"
QUESTIONS = "bundled:teaching/questions.jsonl"
QUESTION_COUNT, TEXT_WINDOWS, RANKING_WINDOWS, HELDOUT_PROMPTS = 1172, 200, 1000, 256
LOOKS = 8  # at held-out text during pretraining
SAMPLES = 100  # answers in a batch that take as long as the two sample texts of a look


def choose_size(minutes: float, step_seconds: Mapping[str, float], shape: Shape) -> str:
    """The largest size that still reads enough tokens in its time. `step_seconds`: of pretraining, by size."""
    chosen = "pico"
    for name, seconds in step_seconds.items():
        steps = 60 * minutes * 0.8 * SHARES["pretrain"] / seconds
        if steps * shape.batch_size * shape.sequence_length >= TOKENS_A_PARAMETER * count(build(SIZES[name])):
            chosen = name
    return chosen


def fixed_seconds(speeds: Speeds, megacharacters: float) -> dict[str, float]:
    """What does not grow with the dial: reading the text, and looking at the results."""
    questions = QUESTION_COUNT * speeds.answer
    text = TEXT_WINDOWS * speeds.window
    rankings = 2 * RANKING_WINDOWS * speeds.window
    return {
        "prepare": 0.5 + PREPARE * megacharacters,
        "tokenize": 0.5 + TOKENIZE * megacharacters,
        "pretrain": 2.0 + LOOKS * (text / 4 + SAMPLES * speeds.answer) + text,
        "sft": 2.0 + 2.5 * questions + 3 * text,
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


def share_out(seconds: float, each: Mapping[str, float]) -> dict[str, float]:
    """Divides the seconds among the stages of `each`, by `SHARES`.

    A stage that would not come to its least gets it, and the others pay; all get their least where that is too much.
    """
    given: dict[str, float] = {}
    rest = dict(each)
    while rest:
        whole = sum(SHARES[name] for name in rest)
        meant = {name: max(seconds, 0.0) * SHARES[name] / whole for name in rest}
        short = [name for name in rest if meant[name] < LEAST[name] * rest[name]]
        if not short:
            return given | meant
        for name in short:
            given[name] = LEAST[name] * rest.pop(name)
            seconds -= given[name]
    return given


def amount(name: str, seconds: float, each: float) -> int:
    """Steps, prompts or updates of the stage that the seconds are enough for."""
    return max(int(seconds / each), LEAST[name])


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for, and what it is to run on."""

    minutes: float
    data: tuple[str, ...]
    seed: int
    megacharacters: float
    """how much text there is, roughly"""
    spent: float
    """seconds that went by until the plan was made"""
    max_characters: int
    """of it, what can be read in the time"""
    threads: int
    dtype: str
    """format of the matrices where there is a choice"""


def plan(wish: Wish, size: str, speeds: Speeds, shape: Shape) -> Recipe:
    """The start recipe with every size resolved. Its seconds are more than the minutes where these are too few."""
    fixed = {"start": wish.spent, **fixed_seconds(speeds, wish.megacharacters)}
    each = each_seconds(speeds, shape)
    meant = share_out(60 * wish.minutes - sum(fixed.values()), each)
    amounts = {name: amount(name, meant[name], each[name]) for name in each}
    return Recipe(
        "start",
        [Step(name, str(table.pop("verb", name)), table)
         for name, table in _tables(wish, SIZES[size], shape, amounts).items()],
        {
            "minutes": wish.minutes, "size": size, "data": list(wish.data), "seed": wish.seed,
            "seconds": {name: round(fixed[name] + meant.get(name, 0.0), 1) for name in fixed},
            "fixed": {name: round(seconds, 3) for name, seconds in fixed.items()},
            "each": {name: round(seconds, 6) for name, seconds in each.items()},
        },
    )  # fmt: skip


def sizes_of(name: str, amount: int) -> dict[str, int]:
    """The settings of the stage that say how much of it there is, and those that follow from that."""
    if name == "rank":
        return {"train_prompts": amount * 4 // 5, "heldout_prompts": amount // 5}
    if name == "ppo":
        return {"updates": amount, "save_every": max(amount // 5, 1)}
    saved = {"steps": amount, "save_every": max(amount // (5 if name in ("pretrain", "sft") else 3), 1)}
    if name == "pretrain":
        return saved | {"warmup": min(50, amount // 10 + 1), "eval_every": max(amount // LOOKS, 1)}
    return saved


def amount_of(table: Mapping[str, Any]) -> int:
    """What `sizes_of` was given; 0 of a stage that has no such settings."""
    return (
        table.get("steps")
        or table.get("updates")
        or ("train_prompts" in table and table["train_prompts"] + table["heldout_prompts"])
    )


def _tables(wish: Wish, model: GPT2Config, shape: Shape, amounts: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """The recipe's tables, by name and in order."""
    seed, threads = {"seed": wish.seed}, {"threads": wish.threads}
    talk = {"conversations": [TEACHING, *[SMALLTALK] * SMALLTALK_TIMES]}
    sizes = {name: sizes_of(name, count) for name, count in amounts.items()}
    trained = {"dtype": wish.dtype, **threads, **seed}
    reward = {"base": "sft", "rankings": ["rank/rankings.jsonl", RANKINGS], "batch_size": shape.rankings}
    return {
        "prepare": {"data": list(wish.data), "max_characters": wish.max_characters, **seed},
        "tokenize": {"text": "prepare", "vocab": model.vocab},
        "pretrain": {
            "tokens": "tokenize", "model": encode(model), "batch_size": shape.batch_size,
            "sequence_length": shape.sequence_length, "learning_rate": _rate(model), **sizes["pretrain"], **trained,
        },
        "sft": {
            "base": "pretrain", **talk, "tokens": "tokenize", "text": "prepare", "rankings": RANKINGS,
            "questions": QUESTIONS, "batch_size": shape.conversations,
            "ptx_batch_size": shape.ptx_batch_size, "sequence_length": shape.sequence_length,
            "learning_rate": _rate(model), **sizes["sft"], **trained,
        },
        "rank": {
            "model": "sft", "text": "prepare", **sizes["rank"], "answers": shape.answers, **threads, **seed,
        },
        "reward": reward | sizes["reward"] | trained,
        "reward-control": {"verb": "reward", **reward, "shuffled": True, **sizes["reward-control"], **trained},
        "ppo": {
            "policy": "sft", "reward": "reward", "prompts": "rank/prompts.jsonl", "tokens": "tokenize", **talk,
            "questions": QUESTIONS, **sizes["ppo"], "episodes": shape.episodes, "epochs": shape.epochs,
            "minibatches": shape.minibatches, "ptx_batch_size": shape.ppo_ptx_batch_size,
            "sft_batch_size": shape.sft_batch_size, "sequence_length": shape.sequence_length,
            "learning_rate": _rate(model) / 4, "heldout_prompts": HELDOUT_PROMPTS, **threads, **seed,
        },
    }  # fmt: skip


def _rate(model: GPT2Config) -> float:
    """Narrower models bear higher rates: 3e-3 at a width of 192, falling with its square root."""
    return round(3e-3 * (192 / model.width) ** 0.5, 6)
