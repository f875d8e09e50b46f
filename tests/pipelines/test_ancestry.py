"""Every stage before a model, and the files that they read: beside it, moved, changed, gone."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.runs import identity
from gptwright.pipelines.ancestry import ancestry, stage_of
from gptwright.text.bundled import bundled_file


def write_stage(
    path: Path, verb: str, config: dict[str, object], inputs: dict[str, str], outputs: Sequence[str]
) -> str:
    """A finished stage's folder; what others call it among their inputs."""
    path.mkdir(parents=True)
    made = {name: sha256(name.encode()).hexdigest() for name in outputs}
    for name in outputs:
        (path / name).write_text(name)
    record = {"verb": verb, "config": config, "inputs": inputs, "state": "complete", "outputs": made}
    (path / "stage.json").write_text(json.dumps(record))
    return identity(made)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    talk = tmp_path / "talk.jsonl"
    talk.write_text("{}\n")
    run = tmp_path / "run"
    base = write_stage(run / "01-pretrain", "pretrain", {"tokens": ""}, {}, ["model.bin", "prompts.jsonl"])
    hashes = {"base": base, "conversations[0]": sha256(talk.read_bytes()).hexdigest(),
              "prompts": sha256(b"prompts.jsonl").hexdigest()}  # fmt: skip
    config: dict[str, object] = {"base": "elsewhere/01-pretrain", "conversations": [str(talk)], "prompts": "gone/p"}
    write_stage(run / "02-sft", "sft", config, hashes, ["policy.bin"])
    return run


def test_a_run_that_was_moved_is_found_by_hash(run: Path, tmp_path: Path) -> None:
    moved = run.rename(tmp_path / "moved")
    sft, pretrain = ancestry(moved / "02-sft")
    assert (sft.verb, pretrain.verb) == ("sft", "pretrain")
    assert sft.inputs["base"] == moved / "01-pretrain" and sft.inputs["prompts"].name == "prompts.jsonl"
    assert sft.files("conversations") == [("conversations[0]", tmp_path / "talk.jsonl")]
    assert not sft.lost and not sft.changed


def test_a_changed_file_is_taken_and_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.jsonl").write_text('{"other": 1}\n')
    sft = ancestry(run / "02-sft")[0]
    assert sft.changed == {"conversations[0]"} and "conversations[0]" in sft.inputs


def test_a_file_that_is_gone_and_a_base_that_is(run: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.jsonl").unlink()
    (run / "01-pretrain").rename(tmp_path / "taken")
    (sft,) = ancestry(run / "02-sft")
    assert sft.lost.keys() == {"base", "conversations[0]", "prompts"} and not sft.inputs


def test_bundled_files_are_found_in_whatever_installation(tmp_path: Path) -> None:
    own = bundled_file("teaching/conversations.jsonl")
    config: dict[str, object] = {"conversations": ["/nowhere/data/teaching/conversations.jsonl"]}
    inputs = {"conversations[0]": sha256(own.read_bytes()).hexdigest()}
    write_stage(tmp_path / "sft", "sft", config, inputs, ["a"])
    assert ancestry(tmp_path / "sft")[0].inputs == {"conversations[0]": own}


def test_the_stage_of_a_model(run: Path, tmp_path: Path) -> None:
    (run / "02-sft/model").mkdir()
    assert stage_of(run / "02-sft/model") == stage_of(run / "02-sft") == (run / "02-sft").resolve()
    with pytest.raises(ArtifactError, match=r"no stage\.json there"):
        stage_of(tmp_path)
