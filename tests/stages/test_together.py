"""Two processes teach a model together, and find what one finds."""

import os
import pickle
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gptwright
from gptwright.configs.codex import Codex
from gptwright.configs.dpo import DPO
from gptwright.configs.grpo import GRPO
from gptwright.configs.ppo import PPO
from gptwright.configs.reward import Reward
from gptwright.configs.rloo import RLOO
from gptwright.configs.sft import SFT
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.recipes.stage import execute_stage

VERBS = ("codex", "sft", "reward", "dpo", "ppo", "grpo", "rloo")
SHARED = ("policy", "tokens", "conversations", "questions", "max_tokens", "sft_batch_size", "sequence_length",
          "threads", "save_every", "heldout_prompts")  # fmt: skip
SCRIPT = Path(__file__).with_name("two_processes.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def in_two(work: list[tuple[str, Any, Path, int]], file: Path) -> str:
    """What the first of two processes said that carried it out."""
    file.write_bytes(pickle.dumps(work))
    everywhere = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1",
                  "MASTER_PORT": str(free_port()), "PYTHONPATH": str(Path(gptwright.__file__).parents[1])}  # fmt: skip
    processes = [
        subprocess.Popen([sys.executable, str(SCRIPT), str(file)], stderr=subprocess.PIPE, text=True,
                         env=os.environ | everywhere | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=400)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    return said[0]


@pytest.fixture(scope="module")
def configs(codex_config: Codex, sft_config: SFT, reward_config: Reward, ppo_config: PPO) -> dict[str, Any]:
    """With more rows than processes, and one window of text a step, which only one of them reads."""
    policy: dict[str, Any] = {"learning_rate": 1e-4} | {name: getattr(ppo_config, name) for name in SHARED}
    groups: dict[str, Any] = policy | {"updates": 3, "episodes": 9, "samples": 3, "minibatches": 2}
    return {
        "codex": replace(codex_config, batch_size=3, dtype="float32"),
        "sft": replace(sft_config, batch_size=5, steps=6, dtype="float32", pack=True),
        "dpo": DPO(rankings=reward_config.rankings, steps=3, batch_size=3, lora=2, **policy),
        "reward": replace(reward_config, batch_size=3, steps=4, save_every=2, dtype="float32"),
        "ppo": replace(ppo_config, updates=3, episodes=9, minibatches=2, learning_rate=1e-4),
        "grpo": GRPO(reward=ppo_config.reward, prompts=ppo_config.prompts, **groups),
        "rloo": RLOO(rule="plain-words", prompts=ppo_config.prompts, **groups),
    }


@pytest.fixture(scope="module")
def together(configs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what two processes left of each verb, undisturbed and stopped after its second step."""
    out = tmp_path_factory.mktemp("together")
    work = [(verb, config, out / verb, 0) for verb, config in configs.items()]
    work += [(verb, config, out / f"{verb}-stopped", stop) for verb, config in configs.items() for stop in (2, 0)]
    said = in_two(work, out / "work")
    for verb in configs:
        assert f"{verb} goes on after step 2" in said
    return out


@pytest.mark.parametrize("verb", VERBS)
def test_what_two_find_is_what_one_finds(verb: str, configs: dict[str, Any], together: Path, tmp_path: Path) -> None:
    one, two = execute_stage(verb, configs[verb], tmp_path / verb).path, together / verb
    expected, got = (read_metrics(folder / "metrics.jsonl") for folder in (one, two))
    assert len(expected) == len(got)
    for a, b in zip(expected, got, strict=True):
        assert b == pytest.approx(a, rel=2e-4, abs=1e-5)
    wanted, metrics = (finished_stage(folder)["metrics"] for folder in (one, two))
    assert {name: value for name, value in metrics.items() if isinstance(value, float)} == pytest.approx(
        {name: value for name, value in wanted.items() if isinstance(value, float)}, rel=1e-3, abs=1e-4
    )


@pytest.mark.parametrize("verb", VERBS)
def test_two_that_were_stopped_leave_the_same_bits(verb: str, together: Path) -> None:
    weights = [(together / out / "model/model.safetensors").read_bytes() for out in (verb, f"{verb}-stopped")]
    assert weights[0] == weights[1]
    lines = [read_metrics(together / out / "metrics.jsonl") for out in (verb, f"{verb}-stopped")]
    assert lines[0] == lines[1]
