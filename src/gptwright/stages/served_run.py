"""How serve improves the run of its first model: the command, what came of it, and what people may be asked."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gptwright.foundations.runs import finished_stage
from gptwright.pipelines.promoted import promoted_model
from gptwright.pipelines.resolve import resolve_model
from gptwright.text.jsonl import read_objects

if TYPE_CHECKING:
    from gptwright.configs.validation import Dtype
    from gptwright.pipelines.model import Model
    from gptwright.serving.routes.jobs import Improving
    from gptwright.serving.served_models import Origin

PROMPTS = 200  # of the run's own, offered to those who rank
SAMPLES = 40  # held-out prompts whose answers are shown side by side
FIGURES = ("method", "measure", "share", "low", "high", "count", "found", "right", "heldout_nats_rise", "why_not")


def improving(run: Path, store: str, dtype: "Dtype") -> "Improving":
    """Of what a store holds, by a process of its own."""
    from gptwright.pipelines.load import load_served
    from gptwright.pipelines.provenance import versions
    from gptwright.serving.routes.jobs import Improving, InUse
    from gptwright.stages.improvement import LEAST

    def command(asked: Mapping[str, Any]) -> list[str]:
        words = [sys.executable, "-m", "gptwright", "improve", str(run)]
        if asked["kind"] == "undo":
            return [*words, "--undo"]
        given = {name: str(asked[name]) for name in ("minutes", "method", "threads", "seed")}
        return [*words, "--from-store", store, *(word for name in given for word in (f"--{name}", given[name]))]

    def in_use() -> InUse:
        folder = resolve_model(run)
        load = partial(load_served, folder, dtype=dtype)
        return InUse(folder.name, cast("Callable[[], Model]", load), origin_of(folder))

    return Improving(command, in_use, least=LEAST, prompts=lambda: prompts_of(run),
                     outcome=lambda lines: outcome(run, lines),
                     may_undo=lambda: promoted_model(run) is not None, versions=partial(versions, run))  # fmt: skip


def origin_of(folder: Path) -> "Origin":
    """Where the model of a stage's folder comes from, with its weights' hash."""
    from gptwright.pipelines.load import find, weights_hash
    from gptwright.pipelines.provenance import provenance

    return cast("Origin", {**provenance(find(folder)), "weights": weights_hash(folder)})


def outcome(run: Path, lines: Sequence[str]) -> dict[str, Any]:
    """What improve's last lines are about: its figures, whether it was promoted, and the answers of both models to
    prompts of which neither learned: `{"messages", "answers", "new"}`, the last the place of the new model's answer.
    Empty where it did not come to an end."""
    from gptwright.evaluation.comparison import OLD
    from gptwright.stages.improve import folder_in

    named = folder_in(lines)
    if named is None:
        return {}
    folder = run / named
    record = finished_stage(folder)
    metrics, config = cast("dict[str, Any]", record["metrics"]), cast("dict[str, Any]", record["config"])
    answers = folder / "answers.jsonl"
    samples = [{"messages": line["messages"], "answers": line["answers"], "new": 1 - line["models"].index(OLD)}
               for line in (read_objects(answers)[:SAMPLES] if answers.is_file() else [])]  # fmt: skip
    return {name: metrics[name] for name in FIGURES if name in metrics} | {
        "folder": named, "before": Path(config["policy"]).name, "promoted": not metrics["why_not"],
        "against": _against(metrics), "samples": samples}  # fmt: skip


def _against(metrics: Mapping[str, Any]) -> list[str]:
    """Why it was not promoted: `chance`, `questions` that are not answered any more, ordinary `text`."""
    from gptwright.stages.improvement import MOST_LOST, MOST_RISE

    before, after = metrics.get("right") or (0.0, 0.0)
    found = {"chance": metrics["low"] <= 0.5, "questions": before - after > MOST_LOST,
             "text": metrics.get("heldout_nats_rise", 0.0) > MOST_RISE}  # fmt: skip
    return [name for name, holds in found.items() if holds]


def prompts_of(run: Path) -> tuple[str, ...]:
    """Single questions that the run's stages were given, each once."""
    found: dict[str, None] = {}
    for path in sorted(run.glob("*/prompts.jsonl")):
        for line in read_objects(path):
            messages = line.get("messages") or [{"role": "user", "content": line.get("prompt", "")}]
            if len(messages) == 1 and messages[0]["content"]:
                found.setdefault(str(messages[0]["content"]))
    return tuple(found)[:PROMPTS]
