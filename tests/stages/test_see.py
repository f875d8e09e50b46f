"""see: a page for a stage, the other stages of its run beside it; what cannot be opened."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.model import Model
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.tokenizer import Tokenizer

OTHER = "she sells sea shells by the sea shore and the shells that she sells are real shells for sure, friend " * 3


@pytest.fixture
def two_stages(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A run with two stages of one tokenizer, one of another, and one that is not finished."""
    folder = tmp_path / "run"
    stages = (("03-pretrain", "pretrain", "complete"), ("04-sft", "sft", "complete"), ("05-old", "sft", "complete"),
              ("06-ppo", "ppo", "running"))  # fmt: skip
    for name, verb, state in stages:
        own = bytelevel.train([OTHER], tokenizer.vocab) if name == "05-old" else tokenizer
        Model(network, own, name).save(folder / name / "model")
        record = {"verb": verb, "state": state, "config": {}, "ended": "2026-01-01T00:00:00+00:00", "outputs": {}}
        (folder / name / "stage.json").write_text(json.dumps(record))
    return folder


def test_a_page_with_the_other_stages_beside(
    gptwright: Callable[..., Any], two_stages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = gptwright("see", two_stages / "04-sft", "the cat sat")
    assert done.code == 0 and done.out == "see.html\n", done.err
    assert "beside 04-sft: 03-pretrain\n" in done.err
    found = re.search(r'id="data">(.*?)</script>', (tmp_path / "see.html").read_text(encoding="utf-8"), re.DOTALL)
    assert found and [stage["name"] for stage in json.loads(found[1])["stages"]] == ["03-pretrain"]
    assert "are shown" not in done.err
    long = gptwright("see", two_stages / "04-sft", "the cat sat " * 100)
    assert long.code == 0 and re.search(r"see: 64 of \d+ tokens are shown\.\n", long.err), long.err


def test_images_of_a_run_that_sees(
    gptwright: Callable[..., Any], seeing: Path, tuned: Path, pictures: Path, tmp_path: Path
) -> None:
    picture, out = pictures / "sheet.png", tmp_path / "page.html"
    done = gptwright("see", seeing, "Who fell?", "--image", picture, "--out", out)
    assert done.code == 0 and done.out == f"{out}\n", done.err
    html = out.read_text(encoding="utf-8")
    assert '"images":{"side":' in html and "data:image/webp;base64," in html and len(html) < 5_000_000
    out.unlink()
    blind = gptwright("see", tuned, "Who fell?", "--image", picture, "--out", out)
    assert blind.code == 1 and "a model that sees" in blind.err and "Leave the images out" in blind.err
    lost = gptwright("see", seeing, "Who fell?", "--image", tmp_path / "nothere.png", "--out", out)
    assert lost.code == 1 and "nothere.png" in lost.err and "nothing there" in lost.err
    many = gptwright("see", seeing, "Who fell?", "--image", *[picture] * 9, "--out", out)
    assert many.code == 1 and "the model's context" in many.err
    assert not out.exists()


def test_what_is_refused_leaves_no_page(gptwright: Callable[..., Any], two_stages: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    empty = gptwright("see", two_stages / "04-sft", "", "--out", out)
    assert empty.code == 1 and "1 to 64 tokens" in empty.err and "Give a text." in empty.err
    nothing = gptwright("see", tmp_path / "nothere", "the cat", "--out", out)
    assert nothing.code == 1 and "nothing there" in nothing.err
    assert not out.exists()
