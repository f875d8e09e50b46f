"""Task files: lm-eval's fields, strictly."""

from pathlib import Path

import pytest

from gptwright.evaluation.harness.task_config import read_task, read_task_folder
from gptwright.foundations.errors import InputError

TASK = """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: colours.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: label
doc_to_choice: ["yes", "no"]
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""


def write(folder: Path, text: str, name: str = "colours.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_has_lm_evals_fields_and_defaults(tmp_path: Path) -> None:
    task = read_task(write(tmp_path, TASK))
    assert (task.held_out, task.shots_from, task.folder) == ("test", "test", tmp_path)
    assert (task.target_delimiter, task.fewshot_delimiter, task.num_fewshot) == (" ", "\n\n", None)
    assert task.doc_to_choice == ["yes", "no"] and task.metric_list[0].metric == "acc"
    trained = read_task(write(tmp_path, TASK + "training_split: train\nvalidation_split: dev\n"))
    assert (trained.held_out, trained.shots_from) == ("test", "train")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("task: colours\n", ""), "task: Field required"),
        (("doc_to_text", "doc_to_txt"), "'doc_to_txt'.\n  Did you mean 'doc_to_text'"),
        (("aggregation", "agregation"), "'metric_list.0.agregation'.\n  Did you mean 'aggregation'"),
        (("test_split: test", "use_prompt: a:b"), "'use_prompt'"),
        (("test_split: test\n", ""), "needs a test_split"),
        (('doc_to_choice: ["yes", "no"]\n', ""), "needs doc_to_choice"),
        (('["yes", "no"]', "[yes, no]"), "doc_to_choice"),  # YAML takes the bare words for true and false
        (("multiple_choice", "multiple_choices"), "output_type"),
        (("task: colours", "task: colours\nnum_fewshot: -1"), "num_fewshot"),
        (("multiple_choice", 'generate_until\nunconditional: "A:"'), "unconditional"),
        (("task: colours", "task: colours\nfolder: x"), "'folder'"),
        (
            ("task: colours", "task: c\nfilter_list: [{name: a, filter: [{function: regex, regex_pattern: '('}]}]"),
            "regular expression",
        ),
        (("doc_to_text", "process_docs: !function utils.f\ndoc_to_text"), "templates in place of functions"),
        ((TASK, "- a list"), "a list"),
        ((TASK, "a: [1"), "plain YAML"),
    ],
)
def test_what_is_missing_unknown_or_amiss_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = write(tmp_path, TASK.replace(*change))
    with pytest.raises(InputError) as error:
        read_task(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_a_file_stands_over_the_one_it_includes(tmp_path: Path) -> None:
    write(tmp_path, TASK, "_base.yaml")
    write(tmp_path, "include: _base.yaml\ntask: other\ndescription: Answer.\n", "other.yaml")
    write(tmp_path, TASK)
    tasks = read_task_folder(tmp_path)
    assert sorted(tasks) == ["colours", "other"]
    assert tasks["other"].description == "Answer." and tasks["other"].doc_to_target == "label"
    write(tmp_path, "include: loop.yaml\n", "loop.yaml")
    with pytest.raises(InputError, match="includes itself"):
        read_task(tmp_path / "loop.yaml")
    with pytest.raises(InputError, match="nothing there"):
        read_task(tmp_path / "none.yaml")


def test_a_folder_has_tasks_and_each_name_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got none"):
        read_task_folder(tmp_path)
    write(tmp_path, TASK)
    write(tmp_path, TASK, "again.yaml")
    with pytest.raises(InputError, match="one task named colours"):
        read_task_folder(tmp_path)
