"""evaluate: a model on tasks, with no example, one, or a few in front of each question."""

import re
from dataclasses import asdict

from gptwright.configs.evaluate import Evaluate
from gptwright.evaluation.harness.fewshot import Shots
from gptwright.evaluation.harness.nanochat_core import Core, evaluate_core
from gptwright.evaluation.harness.run import TaskResult, evaluate
from gptwright.evaluation.harness.table import table
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.foundations.atomic_io import require_room, write_json
from gptwright.foundations.config import encode
from gptwright.foundations.device import use_threads
from gptwright.foundations.progress import say
from gptwright.foundations.version import __version__
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.resolve import resolve_model
from gptwright.text.jsonl import write_objects


def run(config: Evaluate) -> None:
    """Prints a table; leaves results.json, and TASK-SHOTS.jsonl with every document, where --out is given."""
    tasks = find_tasks(config.tasks)
    if config.out:
        require_room(config.out / "results.json")
    use_threads(config.threads)
    model = load_decoder(resolve_model(config.model), dtype=config.dtype)
    results = [found for task in tasks for found in _evaluate(model, task, config)]
    if config.out:
        _write(config, model, results)
    print(table(results))


def _evaluate(model: Model, task: TaskConfig | Core, config: Evaluate) -> list[TaskResult]:
    if isinstance(task, Core):
        return evaluate_core(model, task, limit=config.limit)
    return [
        evaluate(model, task, Shots((task.num_fewshot or 0) if count is None else count, config.seed, config.draw,
                                    config.shuffle_labels),
                 limit=config.limit, task_data=config.task_data)
        for count in config.shot_counts
    ]  # fmt: skip


def _write(config: Evaluate, model: Model, results: list[TaskResult]) -> None:
    assert config.out
    settings = {**asdict(config), "model": model.name, "task_data": str(config.task_data or ""), "out": str(config.out)}
    found = [{"task": each.task, "shots": each.shots, "evaluation": encode(each.evaluation)} for each in results]
    write_json(config.out / "results.json", {"gptwright": __version__, "settings": settings, "results": found})
    for each in results:
        if each.documents:
            name = re.sub(r"[^\w.-]", "_", each.task)
            write_objects(config.out / f"{name}-{each.shots}.jsonl", each.documents)
    say(f"evaluate: {config.out}/results.json, and every document beside it")
