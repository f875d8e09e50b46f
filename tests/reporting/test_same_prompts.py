import json
from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.collect import collect
from gptwright.reporting.same_prompts import same_prompts


def test_answers_to_the_same_prompts_stand_beside_each_other(whole_run: Path, other_run: Path) -> None:
    for run, answer in ((whole_run, "A cat."), (other_run, "A dog.")):
        lines = [
            {"stage": "sft", "question": "Who?", "answer": "?"},
            {"stage": "ppo", "question": "Who?", "answer": answer},
        ]
        (run / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = same_prompts([collect(whole_run), collect(other_run)])
    assert [kind.title for kind in found] == ["One question", "Held-out prompts", "After the same opening"]
    assert found[0].answers == [("Who?", ["A cat.", "A dog."])]
    assert found[1].answers[0] == ("Who is Mira?", ["New answer.", "Another."])
    (written,) = found[2].answers
    assert written[0] == "It was a" and written[1][0].startswith("word80 ")


def test_a_prompt_that_one_alone_was_given_is_left_out(whole_run: Path, other_run: Path) -> None:
    path = other_run / "08-ppo/evaluation.json"
    path.write_text(path.read_text().replace("Who is Mira?", "Who is Colin?"))
    kinds = {kind.title: kind.answers for kind in same_prompts([collect(whole_run), collect(other_run)])}
    assert len(kinds["Held-out prompts"]) == 1 and "script" in kinds["Held-out prompts"][0][0]


def test_runs_that_kept_nothing_share_nothing(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    for name in ("a", "b"):
        stage_writer(tmp_path / name / "01-prepare", "prepare")
    assert same_prompts([collect(tmp_path / "a"), collect(tmp_path / "b")]) == []
