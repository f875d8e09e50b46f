"""`gptwright export`: a folder or a file, and nothing is written over."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2
from gptwright.models.llama import LlamaConfig
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
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


def test_a_folder_has_a_card_that_people_may_go_on_writing(gptwright: Command, folder: Path, tmp_path: Path) -> None:
    assert gptwright("export", folder, "--out", tmp_path / "out").code == 0
    card = tmp_path / "out/README.md"
    assert "family Llama" in card.read_text("utf-8")
    card.write_text("mine")
    load_decoder(tmp_path / "out")  # its files are as the manifest says


def test_a_file_has_its_card_beside_it(gptwright: Command, folder: Path, tmp_path: Path) -> None:
    words = ("export", folder, "--to", "gguf", "--out", tmp_path / "out.gguf")
    assert gptwright(*words).code == 0
    card = (tmp_path / "out.gguf.md").read_text("utf-8")
    assert "family Llama" in card and "library_name: gguf" in card
    assert f'llama-cli -m "{tmp_path / "out.gguf"}"' in card and "transformers" not in card
    (tmp_path / "out.gguf").unlink()
    again = gptwright(*words)
    assert again.code == 1 and f"a new file at {tmp_path / 'out.gguf.md'}" in again.err
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize("to", ["hf", "gguf", "html"])
def test_nothing_is_written_over(gptwright: Command, folder: Path, tmp_path: Path, to: str) -> None:
    (tmp_path / "there").write_text("mine")
    said = gptwright("export", folder, "--to", to, "--out", tmp_path / "there")
    assert said.code == 1 and "something there" in said.err
    assert (tmp_path / "there").read_text() == "mine"


def test_a_page_of_a_run_has_its_report_and_its_questions(
    gptwright: Command, network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for name, verb in (("03-pretrain", "pretrain"), ("04-sft", "sft")):
        Model(network, tokenizer, name).save(run / name / "model")
        record = {"verb": verb, "state": "complete", "config": {}, "ended": "2026-01-01T00:00:00+00:00", "outputs": {}}
        (run / name / "stage.json").write_text(json.dumps(record))
    (run / "examples.jsonl").write_text('{"prompt": "Who?"}\n')
    said = gptwright("export", run, "--to", "html", "--out", tmp_path / "mine.html")
    assert (said.code, said.out.strip()) == (0, str(tmp_path / "mine.html")), said.err
    assert "open " in said.err and " MB" in said.err
    found = re.search(r'id="data">(.*?)</script>', (tmp_path / "mine.html").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert (data["name"], data["prompts"], data["report"]["headline"]) == ("mine", ["Who?"], "A chat model")
    assert data["about"].startswith("04-sft: gpt2, 2 layers")
    base = gptwright("export", run / "03-pretrain", "--to", "html", "--out", tmp_path / "base.html")
    assert base.code == 0 and "is a base model" in base.err


def test_a_page_of_a_lone_folder_has_no_report(gptwright: Command, folder: Path, tmp_path: Path) -> None:
    assert gptwright("export", folder, "--to", "html", "--out", tmp_path / "out.html").code == 0
    assert '"report":null' in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_an_unknown_format_is_answered_with_the_nearest(gptwright: Command, folder: Path, tmp_path: Path) -> None:
    said = gptwright("export", folder, "--to", "ggml", "--out", tmp_path / "out")
    assert said.code == 1 and "gguf" in said.err
