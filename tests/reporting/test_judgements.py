import json
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.reporting.judgements import read_judgements

SAID = {f"Question {n}?": (f"old {n}", f"new {n}") for n in range(8)}


def asked(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The answers of both models, the policy's in front of the other's every second time."""
    lines: list[dict[str, Any]] = []
    for n, (question, (old, new)) in enumerate(SAID.items()):
        turn = -1 if n % 2 else 1
        lines.append({"messages": asked(question), "answers": [old, new][::turn], "models": ["sft", "ppo"][::turn]})
    write(tmp_path / "answers.jsonl", lines)
    return tmp_path


def judged(policy: Path, preferred: list[str]) -> list[dict[str, Any]]:
    """The policy's file, every line with ranks: the first prefers new answers, old ones, or neither."""
    lines = [json.loads(line) for line in (policy / "answers.jsonl").read_text().splitlines()]
    for line, wish in zip(lines, preferred, strict=False):
        line["ranks"] = [1 if wish == "tie" or answer.startswith(wish) else 2 for answer in line["answers"]]
    return [line for line in lines if "ranks" in line]


def test_wins_ties_and_losses_of_the_lines_that_were_judged(policy: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "ours.jsonl", judged(policy, ["new", "new", "old", "tie", "new"]))
    found = read_judgements(path, policy)
    assert (found.share.value, found.share.count) == (3.5 / 5, 5) and found.judge == "the people of ours.jsonl"


def test_the_order_of_the_answers_and_of_the_lines_does_not_matter(policy: Path, tmp_path: Path) -> None:
    lines = judged(policy, ["new", "old", "old", "new", "new", "new", "new", "tie"])
    turned = [line | {name: line[name][::-1] for name in ("answers", "ranks")} for line in lines[::-1]]
    one, two = (read_judgements(write(tmp_path / "j.jsonl", some), policy).share for some in (lines, turned))
    assert one == two


def test_several_people_on_one_prompt_are_one_prompt(policy: Path, tmp_path: Path) -> None:
    lines = judged(policy, ["new", "old", "new", "new"])
    once = read_judgements(write(tmp_path / "j.jsonl", lines), policy).share
    often = read_judgements(write(tmp_path / "j.jsonl", lines * 9), policy).share
    assert often.value == once.value and often.high - often.low > 0.9 * (once.high - once.low)


def test_other_answers_are_refused_and_so_is_a_policy_that_left_none(policy: Path, tmp_path: Path) -> None:
    lines = [*judged(policy, ["new"]), {"messages": asked("Question 1?"), "answers": ["a", "b"], "ranks": [1, 2]}]
    with pytest.raises(InputError, match="line 2 of"):
        read_judgements(write(tmp_path / "j.jsonl", lines), policy)
    with pytest.raises(ArtifactError, match=r"answers\.jsonl"):
        read_judgements(tmp_path / "j.jsonl", tmp_path / "elsewhere")
