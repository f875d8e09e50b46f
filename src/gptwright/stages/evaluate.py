"""evaluate: a model on tasks, with no example, one, or a few in front of each question; or several models."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gptwright.configs.evaluate import Evaluate
from gptwright.evaluation.harness.core_config import Core
from gptwright.evaluation.harness.fewshot import Shots
from gptwright.evaluation.harness.nanochat_core import evaluate_core
from gptwright.evaluation.harness.run import TaskResult, evaluate
from gptwright.evaluation.harness.table import table
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.evaluation.induction import induction_scores
from gptwright.evaluation.paired import Evaluated, differences
from gptwright.foundations.atomic_io import require_room, write_json, write_text
from gptwright.foundations.config import encode
from gptwright.foundations.device import use_threads
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, read_record
from gptwright.foundations.version import __version__
from gptwright.models.catalogue import count
from gptwright.pipelines.load import load_writer
from gptwright.pipelines.model import Model
from gptwright.pipelines.resolve import resolve_model
from gptwright.reporting.comparison import comparison
from gptwright.reporting.evaluation_page import evaluation_page
from gptwright.stages.prefer import prefer
from gptwright.text.jsonl import write_objects


def run(config: Evaluate) -> None:
    """Prints tables. Where --out is given it leaves results.json, evaluation.html, comparison.md of several models, and
    TASK-SHOTS.jsonl with every document, in a folder for each of several models."""
    if config.out:
        require_room(config.out / "results.json")
    use_threads(config.threads)
    if config.prefer:
        prefer(config, _names(config.prefer))
        return
    tasks = find_tasks(config.tasks)
    paths = [resolve_model(path) for path in (config.model, *config.compare)]
    models = [_evaluate(path, name, tasks, config) for path, name in zip(paths, _names(paths), strict=True)]
    found = differences(models, config.seed)
    text = comparison(models, found) if config.compare else _tables(models[0])
    if config.out:
        _write(config.out, config, models)
        if config.compare:
            write_text(config.out / "comparison.md", text + "\n")
        write_text(config.out / "evaluation.html", evaluation_page(models, found))
        say(f"evaluate: {config.out}/evaluation.html, results.json, and every document beside them")
    print(text)


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' names, or the whole paths where two are the same. Raises `ConfigError` for one model twice."""
    twice = next((path for place, path in enumerate(paths) if path in paths[:place]), None)
    if twice:
        raise ConfigError("different models to compare", f"{twice} twice", "Give another one.")
    names = [path.resolve().name for path in paths]
    return names if len({*names}) == len(names) else [str(path) for path in paths]


def _evaluate(path: Path, name: str, tasks: Sequence[TaskConfig | Core], config: Evaluate) -> Evaluated:
    model = load_writer(path, dtype=config.dtype)
    results = [found for task in tasks for found in _results(model, task, config)]
    control = [found for task in tasks for found in _control(model, task, config)]
    curves = config.out and len(config.shot_counts) > 1
    induction = induction_scores(model.network, _ids_read(model, results)) if curves else None
    return Evaluated(name, results, control, induction, count(model.network), _tokens_read(path))


def _ids_read(model: Model, results: Sequence[TaskResult]) -> set[int]:
    """The ids of the prompts: a tokenizer has others, that the model may never have seen."""
    prompts = {document["prompt"] for result in results for document in result.documents}
    return {id for ids in model.tokenizer.encode_many(sorted(prompts)) for id in ids}


def _tokens_read(path: Path) -> int | None:
    """In the pretraining of a stage's model, or of the model that it began as; None where no record tells."""
    while (path / RECORD).is_file():
        record = read_record(path)
        if record["verb"] == "pretrain":
            tokens = record.get("metrics", {}).get("tokens")
            return tokens if isinstance(tokens, int) else None
        path = Path(str(record["config"].get("base") or record["config"].get("policy") or ""))
    return None


def _results(model: Model, task: TaskConfig | Core, config: Evaluate) -> list[TaskResult]:
    if isinstance(task, Core):
        return evaluate_core(model, task, limit=config.limit)
    return [_at(model, task, count, config) for count in _counts(task, config)]


def _control(model: Model, task: TaskConfig | Core, config: Evaluate) -> list[TaskResult]:
    """With examples whose answers are drawn at random, or with images of other questions, where there are any."""
    if isinstance(task, Core):
        return []
    counts = [count for count in _counts(task, config) if count] if config.shuffle_labels else []
    found = [_at(model, task, count, config, shuffle_labels=True) for count in counts]
    if config.shuffle_images and task.doc_to_image:
        found.append(_at(model, task, 0, config, shuffle_images=True))
    return found


def _counts(task: TaskConfig, config: Evaluate) -> list[int]:
    """How many examples, each number once; a text that is read as it stands has none."""
    if task.output_type == "loglikelihood_rolling":
        return [0]
    return sorted({(task.num_fewshot or 0) if count is None else count for count in config.shot_counts})


def _at(model: Model, task: TaskConfig, count: int, config: Evaluate, **control: bool) -> TaskResult:
    shots = Shots(count, config.seed, config.draw, **control)
    return evaluate(model, task, shots, limit=config.limit, task_data=config.task_data)


def _tables(model: Evaluated) -> str:
    what = "images" if any(result.shots == 0 for result in model.control) else "the examples' answers"
    shuffled = f"\n\nWith {what} at random:\n\n{table(model.control)}" if model.control else ""
    return table(model.results) + shuffled


def _write(out: Path, config: Evaluate, models: Sequence[Evaluated]) -> None:
    """results.json, and every document."""
    settings = asdict(config) | {"model": models[0].name, "compare": [model.name for model in models[1:]],
                                 "task_data": str(config.task_data or ""), "out": str(out)}  # fmt: skip
    found: list[dict[str, object]] = []
    for model in models:
        folder = out / _file_name(model.name) if len(models) > 1 else out
        for results, suffix in ((model.results, ""), (model.control, "-shuffled")):
            for each in results:
                about: dict[str, object] = {
                    "model": model.name,
                    "task": each.task,
                    "shots": each.shots,
                    "shuffled": bool(suffix),
                }
                found.append(about | {"evaluation": encode(each.evaluation)})
                if each.documents:
                    write_objects(folder / f"{_file_name(each.task)}-{each.shots}{suffix}.jsonl", each.documents)
    sizes = [{"model": model.name, "parameters": model.parameters, "tokens": model.tokens} for model in models]
    write_json(out / "results.json", {"gptwright": __version__, "settings": settings, "models": sizes,
                                      "results": found})  # fmt: skip


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
