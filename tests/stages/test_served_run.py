"""What the server is told of an improvement that came to its end, and what a run's models were asked."""

from pathlib import Path

from gptwright.stages.served_run import improving, outcome, prompts_of

from .conftest import Command, write_lines
from .test_improve import FEW, liked, place  # noqa: F401 (fixtures)


def test_what_improve_prints_leads_to_its_figures_and_its_answers(place: Path, liked: Path, gptwright: Command) -> None:  # noqa: F811
    run = improving(place, "", "float32")
    assert not run.may_undo() and run.least == 20
    done = gptwright("improve", place, "--rankings", liked, *FEW)
    found = run.outcome(done.out.splitlines())
    assert (found["folder"], found["promoted"], found["method"], found["why_not"]) == ("improve-1", True, "dpo", "")
    assert found["low"] > 0.5 and found["share"] == 1.0 and found["before"] == "02-sft"
    assert (found["measure"], found["against"]) == ("pairs", [])
    assert found["samples"] and run.may_undo()
    for sample in found["samples"]:
        assert sample["new"] in (0, 1) and len(sample["answers"]) == 2 and sample["messages"][-1]["role"] == "user"
    assert {sample["new"] for sample in found["samples"]} == {0, 1}, "which stands first tells nothing"
    assert outcome(place, ["needed: 20 rankings", "got: 3"]) == {}


def test_prompts_of_a_run_are_single_questions_each_once(tmp_path: Path) -> None:
    (tmp_path / "04-rank").mkdir()
    user, assistant = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}
    write_lines(tmp_path / "04-rank/prompts.jsonl", [{"messages": [user]}, {"prompt": "Why?"}, {"prompt": "How?"},
                                                     {"messages": [user, assistant, user]}])  # fmt: skip
    assert prompts_of(tmp_path) == ("Why?", "How?") and prompts_of(tmp_path / "nowhere") == ()
