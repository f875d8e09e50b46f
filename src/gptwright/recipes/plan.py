"""One dial: minutes to sizes. The measured speeds decide how many steps each stage gets; the result is a recipe."""

from collections.abc import Mapping, Sequence
from typing import Any

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
TOKENS_A_PARAMETER = 0.8  # a size is worth its while when it reads at least so many tokens for each parameter

# Shares of the time that is left when the fixed costs are paid.
SHARES = {"pretrain": 0.33, "sft": 0.30, "rank": 0.08, "reward": 0.05, "reward-control": 0.04, "ppo": 0.20}
START_UP = 6.0  # seconds to import, to look at the machine, to write the report
PREPARE, TOKENIZE = 0.4, 0.6  # seconds a million characters
TEACHING = "bundled:teaching/conversations.jsonl"
SMALLTALK = "bundled:conversations.jsonl.xz"
RANKINGS = "bundled:teaching/rankings.jsonl"
QUESTIONS = "bundled:teaching/questions.jsonl"
QUESTION_COUNT, TEXT_WINDOWS, HELDOUT_PROMPTS = 1172, 200, 256


def choose_size(minutes: float, step_seconds: Mapping[str, float], shape: Shape) -> str:
    """The largest size that still reads enough tokens in its share of the time. `step_seconds`: pretraining, by size."""
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
    return {
        "start": START_UP,
        "prepare": 0.5 + PREPARE * megacharacters,
        "tokenize": 0.5 + TOKENIZE * megacharacters,
        "pretrain": 2.0 + text,
        "sft": 1.5 + 2.5 * questions + 3 * text,
        "rank": 0.5,
        "reward": 1.0,
        "reward-control": 1.0,
        "ppo": 1.0 + 2 * questions + 2 * text + (2 * HELDOUT_PROMPTS + 256) * speeds.answer,
    }


def plan(
    minutes: float, size: str, speeds: Speeds, shape: Shape, *, data: Sequence[str], megacharacters: float, threads: int, seed: int
) -> Recipe:
    """The start recipe with every size resolved, and in its `[plan]` the seconds meant for each stage."""
    fixed = fixed_seconds(speeds, megacharacters)
    left = max(60 * minutes - sum(fixed.values()), 20.0)
    budget = {name: left * share for name, share in SHARES.items()}
    per_step = {"pretrain": speeds.pretrain_step, "sft": speeds.sft_step, "reward": speeds.reward_step,
                "reward-control": speeds.reward_step, "ppo": speeds.ppo_update}  # fmt: skip
    steps = {name: max(int(budget[name] / seconds), 4) for name, seconds in per_step.items()}
    prompts = max(int(budget["rank"] / (shape.answers * speeds.answer) * 0.8), 64)
    seconds = {name: round(fixed[name] + budget.get(name, 0.0), 1) for name in fixed}
    tables = _tables(size, shape, steps, prompts, data, {"threads": threads, "seed": seed})
    recipe_steps = [Step(name, table.pop("verb", name), table) for name, table in tables.items()]
    return Recipe("start", recipe_steps, {"minutes": minutes, "size": size, "data": list(data), "seed": seed, "seconds": seconds})


def _tables(
    size: str, shape: Shape, steps: Mapping[str, int], prompts: int, data: Sequence[str], same: dict[str, int]
) -> dict[str, dict[str, Any]]:
    model = SIZES[size]
    seed = {"seed": same["seed"]}
    talk = {"conversations": [TEACHING, SMALLTALK]}
    reward = {"base": "sft", "rankings": ["rank/rankings.jsonl", RANKINGS], "rows": shape.rankings, "rate": 3e-4, **same}
    return {
        "prepare": {"data": list(data), **seed},
        "tokenize": {"text": "prepare", "vocab": model.vocab},
        "pretrain": {
            "tokens": "tokenize", "model": {"family": "gpt2", **vars(model)}, "steps": steps["pretrain"],
            "rows": shape.rows, "length": shape.length, "rate": _rate(model), "warmup": min(50, steps["pretrain"] // 10 + 1),
            "evaluate_every": max(steps["pretrain"] // 8, 1), "save_every": max(steps["pretrain"] // 5, 1), **same,
        },
        "sft": {
            "base": "pretrain", **talk, "tokens": "tokenize", "text": "prepare", "rankings": RANKINGS,
            "questions": QUESTIONS, "steps": steps["sft"], "rows": shape.conversations, "mix_rows": shape.mix_rows,
            "length": shape.length, "rate": _rate(model) / 2, "save_every": max(steps["sft"] // 5, 1), **same,
        },
        "rank": {
            "model": "sft", "text": "prepare", "prompts": prompts,
            "heldout": max(prompts // 4, 32), "answers": shape.answers, **same,
        },
        "reward": {**reward, "steps": steps["reward"], "save_every": max(steps["reward"] // 3, 1)},
        "reward-control": {
            "verb": "reward", **reward, "shuffled": True, "steps": steps["reward-control"],
            "save_every": max(steps["reward-control"] // 3, 1),
        },
        "ppo": {
            "policy": "sft", "reward": "reward", "prompts": "rank/prompts.jsonl", "tokens": "tokenize", **talk,
            "questions": QUESTIONS, "updates": steps["ppo"], "episodes": shape.episodes, "epochs": shape.epochs,
            "minibatches": shape.minibatches, "mix_rows": shape.ppo_mix_rows, "demonstration_rows": shape.demonstration_rows,
            "length": shape.length, "rate": _rate(model) / 4, "heldout": HELDOUT_PROMPTS, "save_every": max(steps["ppo"] // 5, 1), **same,
        },
    }  # fmt: skip


def _rate(model: GPT2Config) -> float:
    """Narrower models bear higher rates: 3e-3 at a width of 192, falling with its square root."""
    return round(3e-3 * (192 / model.width) ** 0.5, 6)
