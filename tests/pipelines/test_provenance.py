"""Where a model comes from, and which took another's place."""

import json
from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.pipelines.provenance import provenance, versions

RECORD = {
    "verb": "ppo",
    "state": "complete",
    "ended": "2026-11-28T10:00:00+00:00",
    "config": {"policy": "runs/a/04-sft"},
}


def stage(folder: Path, record: object) -> Path:
    (folder / "model").mkdir(parents=True)
    (folder / "stage.json").write_text(json.dumps(record))
    return folder


def test_a_stage_tells_its_verb_its_run_its_base_and_when(tmp_path: Path) -> None:
    folder = stage(tmp_path / "start" / "08-ppo", RECORD)
    known = {"stage": "ppo", "run": "start", "base": "04-sft", "created": 1_795_860_000}
    assert provenance(folder) == provenance(folder / "model") == known
    assert provenance(stage(tmp_path / "start" / "03", RECORD | {"config": {}}))["base"] is None


@pytest.mark.parametrize("record", [[], {}, {"verb": "ppo"}, RECORD | {"ended": "soon"}, RECORD | {"config": None}])
def test_of_others_only_the_date_is_known(tmp_path: Path, record: object) -> None:
    found = provenance(stage(tmp_path / "other", record))
    assert [found[name] for name in ("stage", "run", "base")] == [None] * 3 and found["created"] > 1_700_000_000
    (tmp_path / "model.gguf").write_text("")
    assert provenance(tmp_path / "model.gguf")["stage"] is None


def test_versions_are_told_the_latest_first(tmp_path: Path) -> None:
    assert versions(tmp_path) == []
    one, two, three = (
        {"model": f"improve-{i}", "sha256": "x", "before": f"improve-{i - 1}", "when": f"2026-11-28T0{i}:00:00+00:00",
         "figures": {"wins": i}} for i in (1, 2, 3))  # fmt: skip
    (tmp_path / "promoted.json").write_text(json.dumps({"promoted": [one, three], "undone": [two]}))
    found = versions(tmp_path)
    assert [(each["model"], each["undone"]) for each in found] == [
        ("improve-3", False), ("improve-2", True), ("improve-1", False),
    ]  # fmt: skip
    assert found[0]["when"] - found[2]["when"] == 7200 and found[0]["before"] == "improve-2"
    (tmp_path / "promoted.json").write_text("[]")
    with pytest.raises(ArtifactError):
        versions(tmp_path)
