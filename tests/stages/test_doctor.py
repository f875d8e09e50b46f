"""Every known fault of alignment, put into a tiny run on purpose, is found and named; healthy runs have none."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gptwright.configs.ppo import PPO
from gptwright.configs.reward import Reward
from gptwright.configs.sft import SFT
from gptwright.recipes.stage import execute_stage
from gptwright.stages.doctor import diagnose

PAGE = Path(__file__).parents[2] / "docs/faults.md"


def named(folder: Path) -> set[str]:
    return {finding.fault for finding in diagnose(folder) if finding.fault}


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


@pytest.fixture(scope="session")
def healthy(enough: PPO, sft_config: SFT, reward_config: Reward, material: Path, run: Path) -> PPO:
    """With a policy that has learned to end its answers."""
    taught = replace(sft_config, text=None, steps=250, batch_size=3, learning_rate=1e-2)
    policy = execute_stage("sft", taught, run / "doctor-sft").path
    reward = execute_stage("reward", replace(reward_config, base=policy), run / "doctor-reward").path
    lines = [json.loads(line) for line in (material / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    for line, split in zip(lines, ("train", "train", "heldout"), strict=True):
        line["split"] = split
    prompts = run / "doctor-prompts.jsonl"
    prompts.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return replace(enough, policy=policy, reward=reward, prompts=prompts, max_tokens=24, learning_rate=1e-4, updates=2)


def going_far(config: PPO) -> PPO:
    """With nothing that holds it, and long enough."""
    return replace(config, updates=8, heldout_prompts=16, ptx_weight=0.0, learning_rate=0.02)


IN_THE_CODE = ("temperature-mismatch", "truncated-sampling", "dropout-on", "misplaced-reward", "drifted-reference",
               "dead-value-head", "never-ends")  # fmt: skip
GONE_TOO_FAR = ("length-hacking", "kl-blow-up")


@pytest.mark.parametrize("fault", IN_THE_CODE)
def test_each_fault_is_named(faults: ModuleType, enough: PPO, tmp_path: Path, fault: str) -> None:
    assert fault in named(faults.faulty(fault, enough, tmp_path / "ppo"))


@pytest.mark.parametrize("fault", GONE_TOO_FAR)
def test_each_way_to_go_too_far_is_named(faults: ModuleType, enough: PPO, tmp_path: Path, fault: str) -> None:
    assert fault in named(faults.faulty(fault, going_far(enough), tmp_path / "ppo"))


def test_a_reward_that_is_followed_past_what_it_stands_for(
    faults: ModuleType, enough: PPO, reward_config: Reward, rankings: Path, tmp_path: Path
) -> None:
    """Every word is paid for; three were wanted."""
    ranked = tmp_path / "rankings.jsonl"
    ranked.write_text(rankings.read_text().replace('"ranks"', '"labeller": "plain-words", "ranks"'))
    reward = execute_stage("reward", replace(reward_config, rankings=(ranked,)), tmp_path / "reward").path
    with faults.paid_for(**{"words": faults.words, "plain-words": lambda answer: -abs(faults.words(answer) - 3)}):
        paid = replace(going_far(enough), updates=12, reward=reward, rule="words", rule_weight=10.0)
        assert "over-optimisation" in named(faults.faulty("over-optimisation", paid, tmp_path / "ppo"))


def test_a_model_whose_padding_ends_answers_is_told_apart_from_one_that_is_cut(
    faults: ModuleType, enough: PPO, tmp_path: Path
) -> None:
    folder = faults.faulty("never-ends", enough, tmp_path / "ppo")
    path = folder / "model/tokenizer_config.json"
    words = json.loads(path.read_text(encoding="utf-8"))
    words["gptwright"]["pad"] = words["pad_token"] = words["eos_token"]
    path.write_text(json.dumps(words), encoding="utf-8")
    assert "pad-is-eos" in named(folder)


def test_a_reward_model_that_reads_in_another_form(improved: Path, rewarded: Path, tuned: Path, tmp_path: Path) -> None:
    for name, folder in (("04-sft", tuned), ("06-reward", rewarded), ("08-ppo", improved)):
        shutil.copytree(folder, tmp_path / name)
    assert "template-mismatch" not in named(tmp_path)
    path = tmp_path / "06-reward/model/tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("message['role']", "message['role'] | upper"), "utf-8")
    assert "template-mismatch" in named(tmp_path)


def test_rankings_that_are_ties(reward_config: Reward, rankings: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in rankings.read_text(encoding="utf-8").splitlines()]
    for line in lines[: len(lines) * 2 // 3]:
        line["ranks"] = [1, 1, 1]
    path = tmp_path / "ties.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = execute_stage("reward", replace(reward_config, rankings=(path,)), tmp_path / "reward").path
    assert "tie-only-data" in named(found)


@pytest.mark.parametrize(
    "changes",
    [{}, {"seed": 2}, {"seed": 3}, {"temperature": 1.0}, {"beta": 0.2}, {"critic": "separate"}, {"kl": "k3"},
     {"ema": 0.9}, {"lora": 2}, {"whiten_rewards": True}],
)  # fmt: skip
def test_healthy_runs_have_no_fault(healthy: PPO, tmp_path: Path, changes: dict[str, Any]) -> None:
    calm = replace(healthy, **changes)
    assert named(execute_stage("ppo", calm, tmp_path / "ppo").path) == set()


def test_it_says_what_is_wrong_and_how_it_went(improved: Path, tmp_path: Path, gptwright: Callable[..., Any]) -> None:
    done = gptwright("doctor", improved)
    assert done.code in (0, 1) and "doctor: " in done.out.splitlines()[-1]
    assert done.code == int(any(line.strip().startswith("ill") for line in done.out.splitlines()))


def test_the_page_shows_every_fault(faults: ModuleType) -> None:
    headings = {line[3:] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("## ")}
    others = {"pad-is-eos", "template-mismatch", "tie-only-data"}
    assert {*faults.FAULTS} | others <= headings and len({*faults.FAULTS} | others) == 14
