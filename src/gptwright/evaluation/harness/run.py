"""Evaluates a model on a task: documents, examples, questions, what the model did, figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gptwright.evaluation.harness.documents import read_documents
from gptwright.evaluation.harness.execution import execute, failures
from gptwright.evaluation.harness.fewshot import Shots, examples_of
from gptwright.evaluation.harness.filters import filtered
from gptwright.evaluation.harness.questions import Question, Questions
from gptwright.evaluation.harness.requests import Encoder, read_rows
from gptwright.evaluation.harness.scoring import METRICS, Corpus, Outcome, metrics_of
from gptwright.evaluation.harness.task_config import FilterPipeline, TaskConfig
from gptwright.evaluation.harness.templates import Templates
from gptwright.foundations.intake import Intake
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.model import Model
from gptwright.sandbox.sandbox import Sandbox
from gptwright.text.jsonl import Line
from gptwright.training.batches import permutation
from gptwright.training.evaluation import Estimate, Evaluation


@dataclass(frozen=True)
class TaskResult:
    """What a model scored on a task with so many examples, and each document behind it."""

    task: str
    shots: int
    evaluation: Evaluation
    documents: Sequence[dict[str, Any]]
    corpus: Mapping[str, Corpus] = field(default_factory=dict[str, Corpus])
    """how documents' scores make up a figure that none has alone"""


def evaluate(
    model: Model, task: TaskConfig, shots: Shots, *, limit: int | None = None, task_data: Path | None = None
) -> TaskResult:
    """The model on the first `limit` documents of the task's held-out split.

    Raises `InputError` for tasks and documents that do not fit each other, and when nothing is left to score.
    """
    if task.output_type == "loglikelihood_rolling":
        shots = replace(shots, count=0)  # a text stands by itself
    intake = Intake(f"evaluate: {task.task}, {shots.count}-shot")
    lines = read_documents(task, task.held_out, task_data)[:limit]
    if shots.shuffle_images and task.doc_to_image:
        order = permutation(len(lines), shots.seed)
        images = [lines[i][task.doc_to_image] for i in order]
        lines = [Line({**line, task.doc_to_image: other}, line.where)
                 for line, other in zip(lines, images, strict=True)]  # fmt: skip
    pool = _pool(task, shots, task_data)
    templates = Templates(task, {name for line in (*lines, *pool) for name in line})
    examples = examples_of(pool, templates, shots)
    questions = Questions(task, Encoder(model), intake)
    asked = [questions.of(templates.item(line), examples.of(line)) for line in lines]
    found = [question for question in asked if question]
    intake.require(found, f"documents of {task.task} that can be scored", "Mend the task or its documents.")
    intake.report(f"{len(found):,} documents, seed {shots.seed}{_duplicates(task, lines, pool)}")
    return result(task, shots.count, found, outcomes(model, task, found, questions.answer, shots.seed))


def outcomes(model: Model, task: TaskConfig, asked: Sequence[Question], answer: int, seed: int) -> list[Outcome]:
    """What the model does: it reads all rows, or writes answers of at most `answer` tokens.

    Raises `ResourceError` where answers are to be run and there is no sandbox.
    """
    if task.output_type != "generate_until":
        rows = [row for question in asked for row in (*question.rows, *question.unconditional)]
        readings = iter(read_rows(model, rows))
        return [Outcome([next(readings) for _ in question.rows], [next(readings) for _ in question.unconditional])
                for question in asked]  # fmt: skip
    sandbox = Sandbox() if task.execution else None  # where there is none, that is said before anything is written
    answers = _written(model, task, asked, answer, seed)
    if not (task.execution and sandbox):
        return [Outcome(answer=first) for first, *_ in answers]
    executed = execute(sandbox, task.execution, [question.item for question in asked], answers)
    return [Outcome(answer=some[0], executed=found) for some, found in zip(answers, executed, strict=True)]


def _written(
    model: Model, task: TaskConfig, asked: Sequence[Question], answer: int, seed: int
) -> list[list[str]]:  # fmt: skip
    """As many answers to each question as are executed; one where none is."""
    how, each = task.generation_kwargs, task.repeats if task.execution else 1
    until = how.until if isinstance(how.until, list) else [how.until or task.fewshot_delimiter]
    sampling = Sampling(max_tokens=answer, temperature=how.temperature if how.do_sample else 0.0, stop=tuple(until),
                        stop_ids=_ends(model, task), seed=seed)  # fmt: skip
    rows = [question.rows[0] for question in asked for _ in range(each)]
    contents = [row.content for row in rows]
    texts = model.answers([row.ids for row in rows], sampling, starts_text=bool(task.doc_to_image), contents=contents,
                          heal=task.doc_to_suffix is not None)  # fmt: skip
    return [texts[i * each : (i + 1) * each] for i in range(len(asked))]


def _ends(model: Model, task: TaskConfig) -> tuple[int, ...]:
    """What ends an answer besides the model's own ids: of an insertion or an edit, the end of a document."""
    is_document = task.doc_to_suffix is not None or task.doc_to_instruction is not None
    return (model.tokenizer.eos_id,) if is_document else ()


def result(task: TaskConfig, shots: int, asked: Sequence[Question], done: Sequence[Outcome]) -> TaskResult:
    """Figures of a task and its documents; of each filter pipeline its own where there are several."""
    documents = [_document(number, *each) for number, each in enumerate(zip(asked, done, strict=True))]
    estimates, corpus = dict[str, Estimate](), dict[str, Corpus]()
    for pipeline in task.filter_list or [None]:
        suffix = f",{pipeline.name}" if pipeline and task.filter_list[1:] else ""
        after = _after(pipeline, asked, done, documents, suffix) if pipeline else done
        for how in metrics_of(task):
            name, metric = how.metric + suffix, METRICS[task.output_type][how.metric]
            values = [metric.of(question.item, outcome, how) for question, outcome in zip(asked, after, strict=True)]
            estimates[name] = metric.together(values)
            corpus |= {name: metric.corpus} if metric.corpus else {}
            _note(documents, name, values)
    lost = {"examples_dropped": float(sum(question.dropped for question in asked))}
    failed = failures([outcome.executed for outcome in done])
    return TaskResult(task.task, shots, Evaluation(metrics=lost | failed, estimates=estimates), documents, corpus)


def _note(documents: Sequence[dict[str, Any]], name: str, values: Sequence[Any]) -> None:
    for document, value in zip(documents, values, strict=True):
        document["scores"][name] = value


def _after(
    pipeline: FilterPipeline, asked: Sequence[Question], done: Sequence[Outcome], documents: Sequence[dict[str, Any]],
    suffix: str,
) -> list[Outcome]:  # fmt: skip
    """The answers as the filters leave them, which the documents note."""
    answers = [filtered(outcome.answer, pipeline, each.item.choices) for each, outcome in zip(asked, done, strict=True)]
    for document, answer in zip(documents, answers, strict=True):
        document[f"filtered{suffix}"] = answer
    return [Outcome(answer=answer) for answer in answers]


def _pool(task: TaskConfig, shots: Shots, task_data: Path | None) -> list[Line]:
    samples = task.fewshot_config.samples
    if not shots.count or isinstance(samples, str):
        return []
    if samples is not None:
        return [Line(sample, f"sample {number} of {task.task}") for number, sample in enumerate(samples, 1)]
    return read_documents(task, task.shots_from, task_data)


def _duplicates(task: TaskConfig, lines: Sequence[Line], pool: Sequence[Line]) -> str:
    """A warning of documents that examples may give away; of one split, each is merely not its own example."""
    if task.shots_are_evaluated:
        return ""
    known = {repr(line) for line in pool}
    count = sum(repr(line) in known for line in lines)
    return f"; {count:,} of them stand among the examples too" if count else ""


def _document(number: int, question: Question, outcome: Outcome) -> dict[str, Any]:
    item = question.item
    read = {"logprobs": outcome.totals, "tokens": [row.count for row in question.rows],
            "greedy": [reading.greedy for reading in outcome.readings]}  # fmt: skip
    alone = {"unconditional_logprobs": [reading.total for reading in outcome.unconditional]}
    return {"document": number, "where": item.line.where, "prompt": question.prompt, "choices": list(item.choices),
            "targets": list(item.targets), "right": list(item.right),
            **({"answer": outcome.answer} if not outcome.readings else read),
            **({"executed": [asdict(each) for each in outcome.executed]} if outcome.executed else {}),
            **(alone if outcome.unconditional else {}), "scores": {}}  # fmt: skip
