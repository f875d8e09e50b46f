"""What holds in every run of a policy that learns from its answers, and what its breach is taken for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.reporting.checks.invariants import check_invariants, surprise
from gptwright.reporting.collect import collect

Judge = Callable[..., dict[str, str]]
RIGHT = {"first_ratio_error": 1e-6, "repeat_error": 0.0, "surprise_gap_nats": 0.01, "surprise_gap_error": 0.02,
         "kl_k3_nats": 0.0, "reward_misplaced": 0.0}  # fmt: skip


@pytest.fixture
def judged(tmp_path: Path, stage_writer: Callable[..., Path]) -> Judge:
    """Levels by fault, "" of the healthy ones, of a policy whose updates noted `changes` beside what is right."""

    def judge(
        verb: str = "ppo", metrics: dict[str, Any] | None = None, dtype: str = "float32", **changes: float
    ) -> dict[str, str]:
        history = [{"step": step, **RIGHT, "kl_k3_nats": 0.5 * (step - 1), **changes} for step in (1, 2, 3)]
        stage_writer(
            tmp_path / f"01-{verb}", verb, config={"updates": 3, "dtype": dtype}, history=history, metrics=metrics or {}
        )
        return {finding.fault: finding.level for finding in check_invariants(collect(tmp_path))}

    return judge


@pytest.mark.parametrize("verb", ["ppo", "grpo", "rloo"])
def test_a_right_one_has_no_fault(judged: Judge, verb: str) -> None:
    assert judged(verb) == {"": "healthy"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"first_ratio_error": 1.1e-3}, "temperature-mismatch"),
        ({"first_ratio_error": 0.2, "repeat_error": 0.2}, "dropout-on"),
        ({"surprise_gap_nats": -0.2}, "truncated-sampling"),
        ({"surprise_gap_nats": 0.2}, "truncated-sampling"),
        ({"kl_k3_nats": 0.02}, "drifted-reference"),
        ({"reward_misplaced": 0.5}, "misplaced-reward"),
    ],
)
def test_each_breach_has_its_name(judged: Judge, changes: dict[str, float], fault: str) -> None:
    found = judged(**changes)
    assert found.pop(fault) == "ill" and set(found.values()) <= {"healthy"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"first_ratio_error": 0.3}, {"": "healthy"}),
        ({"first_ratio_error": 1.5}, {"temperature-mismatch": "ill"}),
        ({"first_ratio_error": 0.3, "repeat_error": 0.1}, {"dropout-on": "ill"}),
    ],
)
def test_a_sampler_in_bfloat16_may_be_less_exact_and_two_readings_may_not(
    judged: Judge, changes: dict[str, float], found: dict[str, str]
) -> None:
    assert found.items() <= judged(dtype="bfloat16", **changes).items()


def test_a_reference_that_learned_too(judged: Judge) -> None:
    assert judged(metrics={"reference_changed": 1})["drifted-reference"] == "ill"


@pytest.mark.parametrize(("gap", "error"), [(0.05, 0.02), (0.019, 1e-5)])  # 4.3 standard errors; too little to matter
def test_what_stays_within_its_error_is_chance(judged: Judge, gap: float, error: float) -> None:
    assert judged(surprise_gap_nats=gap, surprise_gap_error=error) == {"": "healthy"}


def test_errors_of_updates_add_up_as_of_independent_means(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    history = [{"step": step, **RIGHT, "surprise_gap_nats": 0.1 * step} for step in (1, 2, 3, 4)]
    stage_writer(tmp_path / "01-ppo", "ppo", config={"updates": 4}, history=history)
    stage = collect(tmp_path).policy
    found = surprise(stage) if stage else None
    assert found and found.nats == pytest.approx(0.25) and found.error == pytest.approx(0.02 / 2)
