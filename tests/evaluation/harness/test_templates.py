"""What templates make of documents, as lm-evaluation-harness reads it."""

from typing import Any

import pytest

from gptwright.evaluation.harness.questions import example
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.evaluation.harness.templates import Item, Templates
from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import Line

DOCUMENT = {
    "q": "who",
    "label": 1,
    "word": "no",
    "many": ["a", "b"],
    "dict": {"text": ["x", "y"]},
    "number": 12,
    "nobody": None,
}


def item(**fields: Any) -> Item:
    task = TaskConfig.model_validate({"task": "t", "dataset_path": "json", "test_split": "test", **fields})
    return Templates(task, DOCUMENT).item(Line(DOCUMENT, "line 1"))


@pytest.mark.parametrize(
    "target", ["label", "word", "{{label}}", "{{ ['yes', 'no'].index(word) }}", 1, "[1]", "{{word}}"]
)
def test_a_right_choice_is_named_by_its_place_or_its_text(target: Any) -> None:
    found = item(output_type="multiple_choice", doc_to_text="q", doc_to_target=target, doc_to_choice=["yes", "no"])
    assert (found.contexts, found.choices, found.right, found.targets) == (["who"], ["yes", "no"], [1], ["no"])


@pytest.mark.parametrize("choices", ["{{dict.text}}", "{{['x', 'y']}}", {"one": "x", "two": "y"}, ["x", "y"]])
def test_choices_are_a_list_however_they_are_written(choices: Any) -> None:
    found = item(output_type="multiple_choice", doc_to_text="{{q}}?", doc_to_target="label", doc_to_choice=choices)
    assert (found.contexts, found.choices, found.targets) == (["who?"], ["x", "y"], ["y"])


def test_choices_may_be_what_a_text_follows() -> None:
    found = item(output_type="multiple_choice", doc_to_text="label", doc_to_target="is {{q}}", doc_to_choice="many")
    assert (found.contexts, found.targets, found.right, found.context) == (["a", "b"], ["is who"], [1], "b")


def test_answers_are_one_or_several_texts() -> None:
    assert item(doc_to_text="q", doc_to_target="number").targets == ["12"]
    assert item(doc_to_text="q", doc_to_target="many").targets == item(doc_to_target="{{many}}").targets == ["a", "b"]
    assert item(doc_to_target="[{{q}}]").targets == ["[who]"]
    assert item(doc_to_text="{{q|regex_replace('w', 'W')}}\n", doc_to_target="word").contexts == ["Who\n"]
    assert item(doc_to_target="label", doc_to_choice=["yes", "no"]).targets == ["no"]


def test_an_example_ends_with_its_answer() -> None:
    task = TaskConfig.model_validate({"task": "t", "dataset_path": "json", "test_split": "test", "doc_to_text": "q",
                                      "doc_to_target": "many", "fewshot_delimiter": "\n"})  # fmt: skip
    assert example(Templates(task, DOCUMENT).item(Line(DOCUMENT, "line 1")), task) == "who a\n"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"doc_to_target": "lable"}, "Did you mean 'label'"),
        ({"doc_to_target": "{{nothing}}"}, "'nothing' is undefined"),
        ({"doc_to_target": "{{q"}, "a template of t"),
        ({"doc_to_target": "{{q.__class__.__mro__}}"}, "line 1"),
        ({"doc_to_target": "{{1 // 0}}"}, "a template of t"),
        ({"doc_to_target": "{{[]}}"}, "something that is right in line 1"),
        ({"doc_to_target": "nobody"}, "something that is right in line 1"),
        ({"doc_to_target": "q", "detokenizer": "wikitexts"}, "Did you mean 'wikitext'"),
    ],
)
def test_what_a_template_cannot_do_is_said(fields: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        item(**fields)
    assert said in str(error.value)


def test_a_detokenizer_is_at_work_on_what_the_model_reads_and_not_on_what_is_counted() -> None:
    task = TaskConfig.model_validate({
        "task": "t", "dataset_path": "json", "test_split": "test", "output_type": "loglikelihood_rolling",
        "doc_to_target": "text", "detokenizer": "wikitext",
    })  # fmt: skip
    found = Templates(task, ["text"]).item(Line({"text": "a well @-@ known cat"}, "line 1"))
    assert (found.targets, found.raw) == (["a well-known cat"], "a well @-@ known cat")
