"""What the tasks teach and ask: held-out prompts of another book, both sides as the rules can read them."""

import json
import lzma
from collections import Counter
from typing import Any

import pytest

from gptwright.text.bundled import bundled_file, bundled_folder
from gptwright.text.instruction_rules import FAMILIES
from gptwright.text.rule_labeller import RULES

TASKS = ("instructions", "length-target", "arithmetic", "sentiment")
Lines = list[dict[str, Any]]


def read(name: str) -> Lines:
    with lzma.open(bundled_file(f"instructions/{name}.jsonl.xz"), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_files_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (bundled_folder() / "instructions").iterdir()}
    assert set(sizes) == {f"{task}{end}.jsonl.xz" for task in TASKS for end in ("", "-prompts")}
    assert sum(sizes.values()) < 300_000


@pytest.mark.parametrize("task", TASKS)
def test_what_is_held_out_is_asked_nowhere_else(task: str) -> None:
    prompts = read(f"{task}-prompts")
    sides = {split: {p["prompt"] for p in prompts if p["split"] == split} for split in ("train", "heldout")}
    taught = {line["messages"][0]["content"] for line in read(task)}
    assert sides["heldout"] and not sides["heldout"] & (sides["train"] | taught)


@pytest.mark.parametrize("task", TASKS)
def test_the_rule_reads_every_prompts_line(task: str) -> None:
    if task == "sentiment":
        pytest.importorskip("vaderSentiment")
    for line in read(f"{task}-prompts"):
        assert RULES[task](line, "Then she went home.") <= 1


def test_every_family_is_asked_as_often_and_held_out_in_new_words_too() -> None:
    prompts = read("instructions-prompts")
    for split in ("train", "heldout"):
        counts = Counter(line["kind"] for line in prompts if line["split"] == split)
        assert counts.keys() == FAMILIES.keys() and len(set(counts.values())) == 1
    wordings = {split: Counter(line["wording"] for line in prompts if line["split"] == split)
                for split in ("train", "heldout")}  # fmt: skip
    assert wordings == {"train": {"known": 1600}, "heldout": {"known": 200, "new": 200}}
    assert all(line["constraints"][0]["kind"] == line["kind"] for line in prompts)
