"""The kill proof on a recipe of one stage: killed twice, equal; what differs is told and ends with 1."""

import json
import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks/kill.py"


@pytest.fixture(scope="module")
def kill() -> ModuleType:
    spec = spec_from_file_location("kill", BENCHMARK)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_kills_of_a_recipe_of_one_stage(
    kill: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(0)
    words = ["the", "old", "miller", "walked", "to", "a", "river", "and", "saw", "grey", "cat", "near", "boat"]
    lines = [{"text": " ".join(dice.choices(words, k=900)), "split": split} for split in ("train", "heldout") * 6]
    (tmp_path / "text.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = tmp_path / "small.toml"
    recipe.write_text(f'[prepare]\ndata = ["{tmp_path / "text.jsonl"}"]\n')
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARK.parents[1] / "src"))
    assert kill.prove(recipe, 2, 1, tmp_path) == 0
    said = capsys.readouterr().out
    assert said.count("kill ") == 2 and "killed 2 times in 1 runs of 3 files: nothing different" in said


def test_what_differs_is_told(kill: ModuleType) -> None:
    whole = {"01-a": {"model.safetensors": "a" * 64, "x.json": "b" * 64}, "02-b": {"y.json": "c" * 64}}
    lines, different = kill.compared(whole, {"01-a": {"model.safetensors": "a" * 64, "x.json": "d" * 64}})
    assert different == 2
    said = [line.split() for line in lines]
    assert said[0] == ["01-a/model.safetensors", "a" * 16, "a" * 16, "equal"]
    assert said[1] == ["01-a/x.json", "b" * 16, "d" * 16, "DIFFERENT"]
    assert said[2] == ["01-a,", "all", "files", "1", "of", "2", "equal"]
    assert said[3] == ["02-b/y.json", "c" * 16, "nothing", "DIFFERENT"]


def test_one_that_fails_is_no_proof(kill: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"(?s)got exit code 3.*lost"):
        kill.killed_after(60, [sys.executable, "-c", "import sys; sys.stderr.write('lost'); sys.exit(3)"])
    assert kill.killed_after(60, [sys.executable, "-c", ""]) is False
    assert kill.killed_after(0.05, [sys.executable, "-c", "import time; time.sleep(60)"]) is True
