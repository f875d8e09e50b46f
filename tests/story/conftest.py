"""A run that was taught by a chat model's first steps, and a server of it: what people do with it is the test's."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_story import command, gptwright, recipe

__all__ = ["recipe"]
SAID = ("The old miller walked.", "The rain fell.")
LIKED = "rain fell"
"""the taste of those who rank"""
QUESTIONS = [
    f"{asked} the {what}?"
    for asked in ("Who saw", "What of", "Where is", "How is", "When was", "Who knows", "Who sees", "Who has")
    for what in ("miller", "river", "cat", "boat", "rain")
]


@pytest.fixture
def run(recipe: Path) -> Path:
    """The story as far as sft, with a model that has learned to say one of two things; and what the page offers."""
    folder = recipe.parent
    talks = [[{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
             for asked in QUESTIONS for said in SAID]  # fmt: skip
    (folder / "talk.jsonl").write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    text = recipe.read_text().partition("[rank]")[0]
    for old, new in {
        f'questions = "{folder.as_posix()}/questions.jsonl"\n': "",
        "steps = 6\n": 'steps = 200\noptimizer = "muon"\n',
        "width = 16": "width = 64",
        "context = 64": "context = 128",
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "taught.toml").write_text(text)
    done = gptwright("run", folder / "taught.toml", "--out", folder / "taught")
    assert done.returncode == 0, done.stderr
    lines = "".join(json.dumps({"prompt": text}) + "\n" for text in QUESTIONS[:4])
    (folder / "taught/examples.jsonl").write_text(lines)
    return folder / "taught"


@pytest.fixture
def served(run: Path) -> Iterator[str]:
    words = command("serve", run, "--port", "0")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait(120)
