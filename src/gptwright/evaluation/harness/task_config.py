"""A task as YAML, in the fields of EleutherAI's lm-evaluation-harness: data and templates, and no code.

A field that is not known is refused by its name, and so is `!function`: what is passed over in silence would give
another score than the file's author meant.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gptwright.foundations.errors import InputError, found_at, nearest

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""ten times faster, where PyYAML was built with libyaml"""
OutputType = Literal["loglikelihood", "loglikelihood_rolling", "multiple_choice", "generate_until"]
Text = str | list[str]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class DatasetKwargs(_Fields):
    """Where the documents lie: a file for each split, relative to the task's data."""

    data_files: dict[str, Text] = {}
    sample_by: Literal["line", "paragraph", "document"] = "line"
    """of plain text: what is a document"""


class FewshotConfig(_Fields):
    """How examples are chosen: drawn by the seed, the first ones, or those that each document brings, in its field
    `samples`. Else `samples` are examples written in the file."""

    sampler: Literal["default", "first_n", "document"] = "default"
    samples: list[dict[str, Any]] | str | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "FewshotConfig":
        if isinstance(self.samples, str) != (self.sampler == "document"):
            raise ValueError("needs a field's name as samples where the sampler is document, and only there")
        return self


class Blindness(_Fields):
    """What a comparison of texts does not look at."""

    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_numbers: bool = False
    regexes_to_ignore: list[Pattern] = []


class MetricConfig(Blindness):
    """A figure. How it is put together from the documents, and which way is better, are the metric's own."""

    metric: str
    aggregation: str | None = None
    higher_is_better: bool | None = None


class GenerationKwargs(_Fields):
    """How an answer is written and what ends it, by default the text that stands between examples."""

    until: Text | None = None
    max_gen_toks: Annotated[int, Field(ge=1)] = 256
    do_sample: bool = False
    temperature: Annotated[float, Field(ge=0, le=100)] = 0.0


class FilterStep(Blindness):
    """One change of an answer before it is compared."""

    function: Literal["take_first", "regex", "lowercase", "uppercase", "remove_whitespace", "multi_choice_regex"]
    regex_pattern: Pattern = r"#### (\-?[0-9\.\,]+)"
    group_select: int = 0
    fallback: str = "[invalid]"


class FilterPipeline(_Fields):
    """A named row of such changes; each has figures of its own."""

    name: str
    filter: list[FilterStep]


class Execution(_Fields):
    """How an answer becomes a program, and what it is tested by: templates over the document and its `answer`."""

    program: str
    entry: str = ""
    """the name of the function that `tests` check, in a function `check(candidate)` of theirs"""
    tests: str = ""
    setup: str = ""
    """what stands beside the tests, such as functions that they use"""
    examples: str = ""
    """or the field with doctest's examples, pairs of a line and what it prints"""

    @model_validator(mode="after")
    def _is_tested(self) -> "Execution":
        if bool(self.tests and self.entry) == bool(self.examples):
            raise ValueError("needs either tests with an entry or examples")
        return self


class TaskConfig(_Fields):
    """The definition of a task. A template is Jinja over a document's fields, or the name of one of them."""

    task: str
    task_alias: str | None = None
    tag: Text = []
    dataset_path: str
    """json, csv, parquet or text; else the name of a loader"""
    dataset_name: str | None = None
    dataset_kwargs: DatasetKwargs = DatasetKwargs()
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    output_type: OutputType = "generate_until"
    doc_to_text: str | int = ""
    doc_to_target: str | int | list[str]
    doc_to_choice: str | list[str] | dict[str, str] | None = None
    description: str = ""
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    num_fewshot: Annotated[int, Field(ge=0)] | None = None
    fewshot_config: FewshotConfig = FewshotConfig()
    metric_list: list[MetricConfig] = []
    generation_kwargs: GenerationKwargs = GenerationKwargs()
    filter_list: list[FilterPipeline] = []
    repeats: Annotated[int, Field(ge=1)] = 1
    """answers a document; where none is executed the first one counts, and only that is written"""
    should_decontaminate: bool = False
    doc_to_decontamination_query: str | None = None
    metadata: dict[str, Any] = {}
    detokenizer: str | None = None
    """the name of what undoes the tokens of a published text, before the model reads it"""
    unconditional: str | None = None
    """the neutral context, such as "Answer:", by which GPT-3 §2.4 normalises a choice's probability"""
    doc_to_suffix: str | None = None
    """what comes after the answer, which a model that was taught to insert reads first"""
    doc_to_instruction: str | None = None
    """what is to be done to the text, which only a model that was taught to edit is asked"""
    doc_to_image: str = ""
    """the field that names an image, or several, which a conversation shows in front of the question"""
    execution: Execution | None = None
    """answers are programs, which are run in the sandbox"""
    folder: Path = Field(default=Path(), exclude=True)
    """where the file lies"""

    @model_validator(mode="after")
    def _fits_together(self) -> "TaskConfig":
        if not (self.test_split or self.validation_split):
            raise ValueError("needs a test_split or a validation_split: documents to evaluate on")
        if self.output_type == "multiple_choice" and self.doc_to_choice is None:
            raise ValueError("needs doc_to_choice, as its output_type is multiple_choice")
        if self.unconditional is not None and self.output_type != "multiple_choice":
            raise ValueError("cannot have unconditional unless its output_type is multiple_choice")
        if self.doc_to_image and self.num_fewshot:
            raise ValueError("cannot have num_fewshot beside doc_to_image: a conversation asks one question")
        of_writing = (self.execution, self.doc_to_suffix, self.doc_to_instruction)
        if any(each is not None for each in of_writing) and self.output_type != "generate_until":
            raise ValueError("cannot have execution, doc_to_suffix or doc_to_instruction unless its output_type is "
                             "generate_until")  # fmt: skip
        return self

    @property
    def tags(self) -> list[str]:
        """Groups that it belongs to."""
        return self.tag if isinstance(self.tag, list) else [self.tag]

    @property
    def held_out(self) -> str:
        """The split that is evaluated."""
        return cast("str", self.test_split or self.validation_split)

    @property
    def shots_from(self) -> str:
        """The split that examples come from."""
        return self.fewshot_split or self.training_split or self.validation_split or self.held_out

    @property
    def shots_are_evaluated(self) -> bool:
        """Whether the examples are documents that are asked about too."""
        return self.fewshot_config.samples is None and self.shots_from == self.held_out


def read_task(path: Path) -> TaskConfig:
    """The task in a file. Raises `InputError` for what is no such YAML, and for fields that are unknown or amiss."""
    return task_of(read_yaml(path), path)


def task_of(fields: Mapping[str, object], path: Path) -> TaskConfig:
    """The task of these fields, which stand in the file at `path`. Raises as `read_task` does."""
    if "folder" in fields:
        raise _unknown("folder", TaskConfig, path)
    try:
        return TaskConfig.model_validate({**fields, "folder": path.parent})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise _unknown(place, _model_at(first["loc"]), path) from error
        got = f"{place}: {first['msg']}" if place else first["msg"].removeprefix("Value error, it ")
        raise InputError(f"a task in {path}", got.removeprefix("Value error, "), "Mend the field.") from error


def read_task_folder(path: Path) -> dict[str, TaskConfig]:
    """The tasks of all .yaml files under a folder by name, but those whose name begins with "_", which others include.

    Raises `InputError` as `read_task` does, for two tasks of one name, and for a folder without any.
    """
    tasks: dict[str, TaskConfig] = {}
    for file in sorted(path.rglob("*.yaml")):
        if not file.name.startswith("_"):
            task = read_task(file)
            if task.task in tasks:
                raise InputError(f"one task named {task.task} in {path}", f"a second in {file}", "Rename it.")
            tasks[task.task] = task
    if not tasks:
        raise InputError(f"task files, .yaml, in {path}", "none", "Give another folder.")
    return tasks


def read_yaml(path: Path, within: tuple[Path, ...] = ()) -> dict[str, object]:
    """The fields of a file over those of the file that it includes. Raises `InputError`."""
    if path in within:
        raise InputError(f"files that end in {path}", "one that includes itself", "Correct its include.")
    try:
        fields = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except OSError as error:
        raise InputError(f"a task file at {path}", found_at(path), "Correct the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        remedy = "Tasks are data: write templates in place of functions." if "!function" in said else "Mend the file."
        raise InputError(f"plain YAML in {path}", said, remedy) from error
    if not isinstance(fields, dict):
        raise InputError(f"the fields of a task in {path}", f"a {type(fields).__name__}", "Mend the file.")
    own = {str(name): value for name, value in cast("dict[object, object]", fields).items()}
    base = own.pop("include", None)
    return {**(read_yaml(path.parent / str(base), (*within, path)) if base else {}), **own}


def _unknown(place: str, model: type[BaseModel], path: Path) -> InputError:
    known = {*model.model_fields, "include"} - {"folder"}
    return InputError(f"the known fields of a task in {path}", f"'{place}'", nearest(place.split(".")[-1], known))


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    """The fields among which an unknown one stands."""
    nested = {"dataset_kwargs": DatasetKwargs, "fewshot_config": FewshotConfig, "metric_list": MetricConfig,
              "generation_kwargs": GenerationKwargs,
              "execution": Execution, "filter_list": FilterPipeline, "filter": FilterStep}  # fmt: skip
    return next((nested[part] for part in reversed(place[:-1]) if isinstance(part, str)), TaskConfig)
