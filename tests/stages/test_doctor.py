"""Every known fault of alignment, put into a tiny run on purpose, is found and named; healthy runs have none."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gptwright.configs.ppo import PPO
from gptwright.reporting.checks.finding import Finding
from gptwright.stages.doctor import diagnose

PAGE = Path(__file__).parents[2] / "docs/faults.md"
Options = dict[str, Any]


def named(findings: list[Finding]) -> set[str]:
    return {finding.fault for finding in findings if finding.fault}


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """docs/faults.py, which shows them to readers."""
    spec = importlib.util.spec_from_file_location("faults", PAGE.with_suffix(".py"))
    assert spec and spec.loader
    sys.modules["faults"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def enough(ppo_config: PPO) -> PPO:
    """Enough episodes to tell a fault from chance."""
    return replace(ppo_config, updates=3, episodes=32, epochs=1, minibatches=2, max_tokens=12)


IN_THE_CODE = ("temperature-mismatch", "truncated-sampling", "dropout-on", "misplaced-reward", "drifted-reference",
               "dead-value-head", "never-ends")  # fmt: skip


@pytest.mark.parametrize("fault", IN_THE_CODE)
def test_each_fault_is_named(faults: ModuleType, enough: PPO, tmp_path: Path, fault: str) -> None:
    assert fault in named(diagnose(faults.faulty(fault, enough, tmp_path / "ppo")))
