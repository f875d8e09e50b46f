"""One dial: minutes to sizes. The measured speeds decide how many steps each stage gets; the result is a recipe."""

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
START_UP = 6.0  # seconds to import, to look at the machine, to write the report
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
        if steps * shape.rows * shape.length >= TOKENS_A_PARAMETER * count(build(SIZES[name])):
            chosen = name
    return chosen


def fixed_seconds(speeds: Speeds, megacharacters: float) -> dict[str, float]:
    """What does not grow with the dial: reading the text, and looking at the results."""
    questions = QUESTION_COUNT * speeds.answer
    text = TEXT_WINDOWS * speeds.window
    rankings = 2 * RANKING_WINDOWS * speeds.window
    return {
        "start": START_UP,
        "prepare": 0.5 + PREPARE * megacharacters,
        "tokenize": 0.5 + TOKENIZE * megacharacters,
        "pretrain": 2.0 + LOOKS * (text / 4 + SAMPLES * speeds.answer) + text,
        "sft": 2.0 + 2.5 * questions + 3 * text,
        "rank": 1.0,
        "reward": 1.5 + rankings,
        "reward-control": 2.0 + rankings,
        "ppo": 1.5 + 1.5 * questions + 2 * text + (2 * HELDOUT_PROMPTS + 256) * speeds.answer,
    }


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for, and what it is to run on."""

    minutes: float
    data: tuple[str, ...]
    seed: int
    megacharacters: float
    """how much text there is, roughly"""
    max_characters: int
    """of it, what can be read in the time"""
    threads: int
    dtype: str
    """format of the matrices where there is a choice"""


def plan(wish: Wish, size: str, speeds: Speeds, shape: Shape) -> Recipe:
    """The start recipe with every size resolved, and in its `[plan]` the seconds meant for each stage."""
    fixed = fixed_seconds(speeds, wish.megacharacters)
    left = max(60 * wish.minutes - sum(fixed.values()), 20.0)
    budget = {name: left * share for name, share in SHARES.items()}
    per_step = {"pretrain": speeds.pretrain_step, "sft": speeds.sft_step, "reward": speeds.reward_step,
                "reward-control": speeds.reward_step, "ppo": speeds.ppo_update}  # fmt: skip
    steps = {name: max(int(budget[name] / seconds), 4) for name, seconds in per_step.items()}
    answered = max(int(budget["rank"] / (shape.answers * speeds.answer)), 80)
    tables = _tables(wish, SIZES[size], shape, steps, answered)
    return Recipe(
        "start",
        [Step(name, str(table.pop("verb", name)), table) for name, table in tables.items()],
        {
            "minutes": wish.minutes, "size": size, "data": list(wish.data), "seed": wish.seed,
            "seconds": {name: round(fixed[name] + budget.get(name, 0.0), 1) for name in fixed},
        },
    )  # fmt: skip


def _tables(
    wish: Wish, model: GPT2Config, shape: Shape, steps: Mapping[str, int], answered: int
) -> dict[str, dict[str, Any]]:
    """The recipe's tables, by name and in order."""
    seed, threads = {"seed": wish.seed}, {"threads": wish.threads}
    talk = {"conversations": [TEACHING, *[SMALLTALK] * SMALLTALK_TIMES]}

    def trained(name: str, checkpoints: int) -> dict[str, Any]:
        return {
            "steps": steps[name],
            "save_every": max(steps[name] // checkpoints, 1),
            "dtype": wish.dtype,
            **threads,
            **seed,
        }

    reward = {"base": "sft", "rankings": ["rank/rankings.jsonl", RANKINGS], "rows": shape.rankings}
    return {
        "prepare": {"data": list(wish.data), "max_characters": wish.max_characters, **seed},
        "tokenize": {"text": "prepare", "vocab": model.vocab},
        "pretrain": {
            "tokens": "tokenize", "model": encode(model), "rows": shape.rows,
            "length": shape.length, "rate": _rate(model), "warmup": min(50, steps["pretrain"] // 10 + 1),
            "evaluate_every": max(steps["pretrain"] // LOOKS, 1), **trained("pretrain", 5),
        },
        "sft": {
            "base": "pretrain", **talk, "tokens": "tokenize", "text": "prepare", "rankings": RANKINGS,
            "questions": QUESTIONS, "rows": shape.conversations, "mix_rows": shape.mix_rows, "length": shape.length,
            "rate": _rate(model), **trained("sft", 5),
        },
        "rank": {
            "model": "sft", "text": "prepare", "prompts": answered * 4 // 5, "heldout": answered // 5,
            "answers": shape.answers, **threads, **seed,
        },
        "reward": reward | trained("reward", 3),
        "reward-control": {"verb": "reward", **reward, "shuffled": True, **trained("reward-control", 3)},
        "ppo": {
            "policy": "sft", "reward": "reward", "prompts": "rank/prompts.jsonl", "tokens": "tokenize", **talk,
            "questions": QUESTIONS, "updates": steps["ppo"], "save_every": max(steps["ppo"] // 5, 1),
            "episodes": shape.episodes, "epochs": shape.epochs, "minibatches": shape.minibatches,
            "mix_rows": shape.ppo_mix_rows, "demonstration_rows": shape.demonstration_rows, "length": shape.length,
            "rate": _rate(model) / 4, "heldout": HELDOUT_PROMPTS, **threads, **seed,
        },
    }  # fmt: skip


def _rate(model: GPT2Config) -> float:
    """Narrower models bear higher rates: 3e-3 at a width of 192, falling with its square root."""
    return round(3e-3 * (192 / model.width) ** 0.5, 6)
