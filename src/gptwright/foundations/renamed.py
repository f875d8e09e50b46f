"""The names that options, their values and metrics had, and the layout of evaluations, before version 0.2.

On the command line an old name is refused, with the new one as the remedy. Recipes and run folders that hold old names
are read as if they held the new ones. This file and its five uses go with the release after 0.2.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar, cast

from gptwright.foundations.errors import UsageError

V = TypeVar("V")
_TRAINING = {"rate": "learning_rate", "pieces": "micro_batches", "keep": "keep_checkpoints"}
_SUPERVISED = _TRAINING | {"rows": "batch_size", "decay": "weight_decay"}
_WINDOWS = {"length": "sequence_length"}
_PRETRAIN = {
    "first_rows": "initial_batch_size",
    "ramp": "batch_ramp_tokens",
    "optim": "optimizer",
    "average": "average_checkpoints",
    "evaluate_every": "eval_every",
}
_PPO = {
    "mix_rows": "ptx_batch_size",
    "demonstration_rows": "sft_batch_size",
    "mix_weight": "ptx_weight",
    "heldout": "heldout_prompts",
}
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "prepare": {"heldout": "heldout_fraction"},
    "pretrain": _SUPERVISED | _WINDOWS | _PRETRAIN,
    "sft": _SUPERVISED | _WINDOWS | {"mix_rows": "ptx_batch_size"},
    "rank": {"heldout": "heldout_prompts"},
    "reward": _SUPERVISED,
    "serve": {"key": "api_key", "memory_gb": "kv_cache_gb", "at_once": "max_requests"},
    "ppo": _TRAINING | _WINDOWS | _PPO,
}
"""verb → old name → new name"""
COUNTS: Mapping[str, Mapping[str, str]] = {"rank": {"prompts": "train_prompts"}}
"""the same of whole numbers: the old name is a file's now"""
VALUES: Mapping[str, Mapping[str, str]] = {"schedule": {"trapezoid": "wsd"}, "dtype": {"fast": "auto"}}
"""option → old value → new value"""
METRICS = {"rate": "learning_rate"}
_PARTS, _ESTIMATE = {"metrics", "estimates", "samples", "notes"}, {"value", "low", "high", "count"}  # of an evaluation


def rename_options(verb: str, table: Mapping[str, object]) -> dict[str, object]:
    """A verb's options, as a recipe or a `stage.json` holds them, under their new names."""
    named = {_new_name(verb, name, value) or name: value for name, value in table.items()}
    return {name: _rename_value(name, value) for name, value in named.items()}


def rename_record(record: Mapping[str, object]) -> dict[str, object]:
    """The content of a `stage.json` under its new names."""
    verb, renamed = str(record.get("verb")), dict(record)
    if "figures" in renamed:
        renamed["metrics"] = renamed.pop("figures")
    for part in ("config", "plan"):
        if isinstance(renamed.get(part), Mapping):
            renamed[part] = rename_options(verb, cast("Mapping[str, Any]", renamed[part]))
    return renamed


def rename_metrics(line: Mapping[str, V]) -> dict[str, V]:
    """A line of `metrics.jsonl` under its new names."""
    return {METRICS.get(name, name): value for name, value in line.items()}


def rename_evaluations(found: object) -> dict[str, dict[str, object]]:
    """The content of an `evaluation.json` as evaluations by name; one had its metrics, shares and texts side by side.

    What is of no known shape counts as absent, so that the rest of the run can still be shown.
    """
    tables = _table(found)
    if "models" in tables:
        tables = _table(tables["models"]) | {"comparison": tables}
    evaluations = {name: _table(item) for name, item in tables.items()}
    return {name: table if table.keys() <= _PARTS else _parts_of(table) for name, table in evaluations.items()}


def _parts_of(old: Mapping[str, object]) -> dict[str, object]:
    numbers = {name: value for name, value in old.items() if isinstance(value, int | float) and name not in _ESTIMATE}
    shares = _table(old.get("exact_answers")) | {"win_rate": old.get("win_rate"), "pair_accuracy": old}
    texts, rule = old.get("examples", old.get("prompts")), old.get("rule")
    return {
        "metrics": {"judge_score" if name == "rule_score" else name: value for name, value in numbers.items()},
        "estimates": {name: share for name, share in shares.items() if _table(share).keys() == _ESTIMATE},
        "samples": [str(text) for text in cast("list[object]", texts)] if isinstance(texts, list) else [],
        "notes": {"rule": rule} if rule else {},
    }


def _table(value: object) -> dict[str, object]:
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else {}


def refuse_old_options(verb: str, words: Sequence[str]) -> None:
    """Raises `UsageError` for an option, or a value of one, on the command line that has another name now."""
    split = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for word, value in zip_longest(split, split[1:], fillvalue=""):
        if not word.startswith("--"):
            continue
        name = word.removeprefix("--").replace("-", "_")
        if new := _new_name(verb, name, value):
            option = f"--{new.replace('_', '-')}"
            raise UsageError(f"the option {option}", f"{word}, its old name", f"Write {option}.")
        if (known := _rename_value(name, value)) != value:
            raise UsageError(f"{word} {known}", f"{value}, its old name", f"Write {word} {known}.")


def _new_name(verb: str, name: str, value: object) -> str | None:
    counts = COUNTS.get(verb, {}) if str(value).isdecimal() else {}
    return OPTIONS.get(verb, {}).get(name) or counts.get(name)


def _rename_value(name: str, value: Any) -> Any:
    return VALUES.get(name, {}).get(value, value) if isinstance(value, str) else value
