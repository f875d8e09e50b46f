"""What the teaching set must be, whatever was written into its tables."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gptwright.evaluation.answers import candidates, is_right, read_questions
from gptwright.text.bundled import bundled_folder
from gptwright.text.compression import open_compressed
from gptwright.text.friendly_rule import closes, holds, opens, rambles, sentences
from gptwright.text.jsonl import read_objects
from gptwright.text.rule_labeller import RULES, ranks

TEACHING = bundled_folder() / "teaching"
STYLES = ("bare", "sentence", "friendly", "rambling")


def read(path: Path) -> bytes:
    """The content, decompressed: other versions of liblzma may compress to other bytes."""
    with open_compressed(path) as file:
        return file.read()


def plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def lines(name: str) -> list[dict[str, Any]]:
    return [dict(line) for line in read_objects(TEACHING / name)]


def asked(line: dict[str, Any]) -> str:
    return plain(line["messages"][-1]["content"])


@pytest.fixture(scope="module")
def conversations() -> list[dict[str, Any]]:
    return lines("conversations.jsonl")


@pytest.fixture(scope="module")
def taught(conversations: list[dict[str, Any]]) -> set[str]:
    """Everything that a user says in training."""
    rankings = [line for line in lines("rankings.jsonl.xz") if line["split"] == "train"]
    return {
        plain(m["content"]) for line in [*conversations, *rankings] for m in line["messages"] if m["role"] == "user"
    }


def style_of(answer: str) -> str:
    """As the rule sees it."""
    if rambles(answer):
        return "rambling"
    if opens(answer) or closes(answer):
        return "friendly"
    return "sentence" if len(sentences(answer)) > 1 or len(answer.split()) > 3 else "bare"


def test_nothing_is_measured_that_was_asked_in_training(taught: set[str]) -> None:
    assert [line for line in lines("questions.jsonl") if asked(line) in taught] == []


def test_held_out_prompts_are_in_no_training_line(conversations: list[dict[str, Any]]) -> None:
    """As a whole: a later question alone, such as "And his pet?", may be."""

    def user(line: dict[str, Any]) -> str:
        return plain(" / ".join(m["content"] for m in line["messages"] if m["role"] == "user"))

    rankings = lines("rankings.jsonl.xz")
    seen = set(map(user, [*conversations, *(line for line in rankings if line["split"] == "train")]))
    heldout = [line for line in rankings if line["split"] == "heldout"]
    assert len(heldout) >= 256 and not [line for line in heldout if user(line) in seen]


def test_every_style_is_shown_about_equally_often_and_the_rule_knows_it(conversations: list[dict[str, Any]]) -> None:
    facts = [line["messages"][-1]["content"] for line in conversations if line["kind"] == "fact"]
    shares = {style: count / len(facts) for style, count in Counter(map(style_of, facts)).items()}
    assert all(0.15 < shares[style] < 0.4 for style in STYLES), shares
    friendly = [answer for answer in facts if style_of(answer) == "friendly"]
    both = sum(opens(answer) and closes(answer) for answer in friendly) / len(friendly)
    assert 0.2 < both < 0.5  # an opening alone and a closing alone are shown too


def test_what_nobody_knows_is_asked_in_many_ways(conversations: list[dict[str, Any]]) -> None:
    unknown = {asked({"messages": line["messages"][:1]}) for line in conversations if line["kind"] == "unknown"}
    assert len(unknown) >= 800
    everyday = [line for line in lines("questions.jsonl") if line["kind"] == "everyday"]
    assert len({asked(line) for line in everyday}) == len(everyday) == 200
    assert all(holds(line["answer"], line["right"]) and "Fernhollow" in line["answer"] for line in everyday)


def test_conversations_have_up_to_six_turns(conversations: list[dict[str, Any]]) -> None:
    turns = Counter(len(line["messages"]) // 2 for line in conversations if line["kind"] == "multi-turn")
    assert set(turns) == {2, 3, 4, 5, 6} and all(turns[n] >= 40 for n in (3, 4, 5, 6))
    for line in conversations:
        assert [m["role"] for m in line["messages"]] == ["user", "assistant"] * (len(line["messages"]) // 2)


def test_the_questions_own_answers_are_right() -> None:
    questions = read_questions(TEACHING / "questions.jsonl")
    wrong = [q for q, others in zip(questions, candidates(questions), strict=True) if not is_right(q, others, q.answer)]
    assert wrong == []
    kinds = Counter(question.kind for question in questions)
    assert kinds["visitor"] == 30 and kinds["long conversation"] == 10 and kinds["held-out form"] > 200


def test_rankings_are_the_rules() -> None:
    rankings = lines("rankings.jsonl.xz")
    for line in rankings:
        assert line["ranks"] == ranks(line, line["answers"], RULES[line["labeller"]]) and len(line["answers"]) == 4
        assert len(set(line["answers"])) == 4 and len(set(line["ranks"])) > 1, line
    assert any(len(set(line["ranks"])) < 4 for line in rankings)
    assert any(not holds(answer, line["right"]) for line in rankings for answer in line["answers"])


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    script = bundled_folder() / "make_teaching.py"
    before = {path.name: read(path) for path in TEACHING.iterdir()}
    for path in (script, script.with_name("teaching_world.py")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "teaching").mkdir()
    for name, content in before.items():
        (tmp_path / "teaching" / name).write_bytes(content if name.endswith((".toml", ".md")) else b"")
    subprocess.run([sys.executable, tmp_path / "make_teaching.py"], check=True, capture_output=True)
    assert {path.name: read(path) for path in (tmp_path / "teaching").iterdir()} == before


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in TEACHING.iterdir()) < 1.7e6
    assert json.loads((TEACHING / "questions.jsonl").read_text().splitlines()[0])["right"]
