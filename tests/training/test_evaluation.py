import json
from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.training.evaluation import Estimate, Evaluation, read_evaluations, write_evaluations

FULL = Evaluation(metrics={"heldout_nats": 3.9}, estimates={"known": Estimate(0.5, 0.4, 0.6, 96)}, samples=("a", "b"),
                  notes={"rule": "plain-words"})  # fmt: skip


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_evaluations(tmp_path, {"before": Evaluation(), "after": FULL})
    assert read_evaluations(tmp_path) == {"before": Evaluation(), "after": FULL}


def test_a_metric_that_is_not_finite_counts_as_absent(tmp_path: Path) -> None:
    write_evaluations(tmp_path, {"sft": Evaluation(metrics={"heldout_nats": float("nan"), "words": 3.0})})
    assert read_evaluations(tmp_path)["sft"].metrics == {"words": 3.0}


def test_a_folder_without_one_has_none_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert read_evaluations(tmp_path) == {}
    path = tmp_path / "evaluation.json"
    path.write_text("{ [")
    with pytest.raises(ArtifactError, match=r"evaluation\.json"):
        read_evaluations(tmp_path)
    path.write_text(json.dumps({"sft": {"estimates": {"known": {"value": 0.5}}}}))
    with pytest.raises(ConfigError, match=r"sft in .*evaluation\.json\.estimates\.known"):
        read_evaluations(tmp_path)
