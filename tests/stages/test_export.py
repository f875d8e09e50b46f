"""`gptwright export`: a folder or a file, and nothing is written over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.models.catalogue import build
from gptwright.models.llama import LlamaConfig
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.tokenizers.tokenizer import Tokenizer

Command = Callable[..., Any]
PROMPT = "the cat sat on"


@pytest.fixture
def folder(tokenizer: Tokenizer, tmp_path: Path) -> Path:
    sizes = LlamaConfig(vocab=tokenizer.vocab, context=64, width=32, heads=4, kv_heads=2, layers=2, hidden=48)
    export(build(sizes), tokenizer, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(("to", "out"), [("hf", "out"), ("gguf", "deep/out.gguf")])
def test_what_is_left_says_the_same(gptwright: Command, folder: Path, tmp_path: Path, to: str, out: str) -> None:
    said = gptwright("export", folder, "--to", to, "--out", tmp_path / out)
    assert (said.code, said.out.strip()) == (0, str(tmp_path / out))
    answers = [load_decoder(path).generate(PROMPT, temperature=0) for path in (folder, tmp_path / out)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("to", ["hf", "gguf"])
def test_nothing_is_written_over(gptwright: Command, folder: Path, tmp_path: Path, to: str) -> None:
    (tmp_path / "there").write_text("mine")
    said = gptwright("export", folder, "--to", to, "--out", tmp_path / "there")
    assert said.code == 1 and "something there" in said.err
    assert (tmp_path / "there").read_text() == "mine"


def test_an_unknown_format_is_answered_with_the_nearest(gptwright: Command, folder: Path, tmp_path: Path) -> None:
    said = gptwright("export", folder, "--to", "ggml", "--out", tmp_path / "out")
    assert said.code == 1 and "gguf" in said.err
