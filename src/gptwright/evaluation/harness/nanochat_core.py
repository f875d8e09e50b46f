"""nanochat's CORE (the list of tasks of DCLM, Li et al. 2024, appendix G): `core.yaml` and its JSON Lines.

It cuts texts in its own way: whole prompts are encoded, and what differs between them is scored. A choice or context
is right when its mean log-likelihood a token is the best; a continuation, when every token of it is the likeliest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from gptwright.evaluation.harness.core_config import Core, CoreTask
from gptwright.evaluation.harness.questions import Question, checked
from gptwright.evaluation.harness.requests import Encoder, Row
from gptwright.evaluation.harness.run import TaskResult, outcomes, result
from gptwright.evaluation.harness.task_config import MetricConfig, OutputType, TaskConfig
from gptwright.evaluation.harness.templates import Item
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.pipelines.model import Model
from gptwright.text.jsonl import Line, read_objects
from gptwright.training.evaluation import Evaluation

CHOICE: tuple[OutputType, str] = ("multiple_choice", "acc_tokens")
SUBSAMPLE, SHOTS = (
    1337,
    1234,
)  # nanochat's seeds: of the order of documents, and, with the document's place, of examples


def evaluate_core(model: Model, core: Core, *, limit: int | None = None) -> list[TaskResult]:
    """The model on every task; `centered` is its accuracy from chance, 0, to 1. The last result is CORE, their mean."""
    results = [_evaluate(model, core, task, limit) for task in core.tasks]
    centered = [found.evaluation.metrics["centered"] for found in results]
    return [*results, TaskResult("CORE", -1, Evaluation(metrics={"centered": sum(centered) / len(centered)}), [])]


def _evaluate(model: Model, core: Core, task: CoreTask, limit: int | None) -> TaskResult:
    if task.label not in core.chance:
        raise InputError(f"what chance scores in {task.label}", "no such line in eval_meta_data.csv", "Add it.")
    intake, context = Intake(f"evaluate: {task.label}"), model.context
    lines, shots = read_objects(core.folder / task.dataset_uri), task.num_fewshot[0]
    Random(SUBSAMPLE).shuffle(lines)
    asked = _questions(task, lines[:limit], shots, Encoder(model))
    found = [question for each in asked if (question := checked(each, context, intake))]
    intake.require(found, f"documents of {task.label} that can be scored", "Mend the documents.")
    intake.report(f"{len(found):,} documents, {shots}-shot, seed {SHOTS}")
    kind, metric = ("loglikelihood", "acc") if task.icl_task_type == "language_modeling" else CHOICE
    as_task = TaskConfig(task=task.label, dataset_path="json", test_split="test", doc_to_target="", doc_to_choice=[],
                         output_type=kind, metric_list=[MetricConfig(metric=metric)])  # fmt: skip
    scored = result(as_task, shots, found, outcomes(model, as_task, found, 0, SHOTS))
    accuracy, chance = scored.evaluation.estimates[metric], core.chance[task.label]
    centered = (accuracy.value - chance) / (1 - chance)
    return replace(scored, evaluation=Evaluation(metrics={"centered": centered}, estimates={"acc": accuracy}))


def _questions(task: CoreTask, lines: Sequence[Line], shots: int, encoder: Encoder) -> Iterator[Question]:
    """Each document behind examples drawn from all the others."""
    for place, line in enumerate(lines):
        drawn = Random(SHOTS + place).sample(range(len(lines) - 1), shots)
        try:
            examples = [_example(task, lines[other + (other >= place)]) for other in drawn]
            prompts, item = _prompts(task, line, "".join(examples))
        except (LookupError, TypeError) as error:
            raise InputError(f"the fields of {task.icl_task_type} in {line.where}", f"{error!r}",
                             "Mend the document, or one that is drawn as its example.") from error  # fmt: skip
        yield Question(item, prompts[0], _rows(task, [encoder.begun(prompt) for prompt in prompts]))


def _example(task: CoreTask, line: Line) -> str:
    prompts, item = _prompts(task, line, "")
    return prompts[item.right[0] if item.right else -1] + "\n\n"


def _prompts(task: CoreTask, line: Line, before: str) -> tuple[list[str], Item]:
    """A prompt for each choice; or one without and one with the continuation."""
    delimiter, kind = task.continuation_delimiter, task.icl_task_type
    if kind == "language_modeling":
        prompt, continuation = f"{before}{line['context'].strip()}{delimiter}", line["continuation"]
        return [prompt.strip(), prompt + continuation], Item(line, "", [prompt], [], [continuation])
    choices = line["choices" if kind == "multiple_choice" else "context_options"]
    if kind == "multiple_choice":
        ends = [line["query"] + delimiter + choice for choice in choices]
    else:
        ends = [choice + delimiter + line["continuation"] for choice in choices]
    return [before + end for end in ends], Item(line, "", [before], choices, [choices[line["gold"]]], [line["gold"]])


def _rows(task: CoreTask, ids: Sequence[tuple[int, ...]]) -> list[Row]:
    """What is scored of the prompts: behind what all begin with, or what all end with."""
    if task.icl_task_type == "schema":
        shared = _shared([row[::-1] for row in ids])
        return [Row(row, len(row) - shared) for row in ids]
    rows = [Row(row, _shared(ids)) for row in ids]
    return rows[1:] if task.icl_task_type == "language_modeling" else rows


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """How many first ids are the same in all rows."""
    return next((n for n, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1), min(map(len, rows)))
