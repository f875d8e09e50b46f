"""--lora: what sft, reward and ppo leave is their base, and what was learned beside it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers

from gptwright.configs.ppo import PPO
from gptwright.configs.reward import Reward
from gptwright.configs.sft import SFT
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.metrics import read_metrics
from gptwright.pipelines.load import load
from gptwright.recipes.stage import execute_stage
from gptwright.training.checkpoint import newest_checkpoint

IDS = list(range(3, 40))
RATE = 0.03  # so that few steps show


@pytest.fixture(scope="session")
def lora_sft(sft_config: SFT) -> SFT:
    return replace(sft_config, lora=3, dtype="bfloat16", learning_rate=RATE)


@pytest.fixture(scope="session")
def lora_reward(reward_config: Reward) -> Reward:
    return replace(reward_config, lora=2, dtype="bfloat16", learning_rate=RATE)


@pytest.fixture(scope="session")
def lora_ppo(ppo_config: PPO) -> PPO:
    return replace(ppo_config, lora=2, learning_rate=RATE)


Stage = tuple[str, Any, Path, Path]


@pytest.fixture(scope="session", params=["sft", "reward", "ppo"])
def stage(request: pytest.FixtureRequest, run: Path) -> Stage:
    """A verb, its configuration with --lora, what it left, and its base."""
    verb = request.param
    config = request.getfixturevalue(f"lora_{verb}")
    out = execute_stage(verb, config, run / f"lora-{verb}").path
    return verb, config, out, config.policy if verb == "ppo" else config.base


def test_the_model_is_its_base_with_the_adapter(stage: Stage) -> None:
    _, _, out, base = stage
    whole, merged, before = load(out).network, load(base, adapter=out).network, load(base).network.state_dict()
    assert type(whole) is type(merged)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(merged.state_dict()[name], tensor, atol=1e-6, rtol=1e-6)
        learned = name.startswith("head.") or ("attention" in name and name.endswith("weight"))
        assert learned != torch.equal(tensor, before.get(name.removeprefix("trunk."), torch.empty(0)))


def test_peft_opens_the_adapter_over_the_base(stage: Stage) -> None:
    verb, _, out, base = stage
    kind = transformers.AutoModelForCausalLM
    labels = {}
    if verb == "reward":
        kind, labels = transformers.AutoModelForSequenceClassification, {"num_labels": 1}
    theirs = kind.from_pretrained(base / "model", dtype=torch.float32, **labels)
    opened = peft.PeftModel.from_pretrained(theirs, out / "adapter").eval()
    with torch.no_grad():
        found = opened(torch.tensor([IDS])).logits
    ours: Any = load(out)
    expected = ours.logits([IDS]) if verb == "reward" else ours.logits(torch.tensor([IDS]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_checkpoints_hold_what_learns_and_nothing_else(stage: Stage) -> None:
    _, _, out, _ = stage
    found = newest_checkpoint(out / "checkpoints")
    assert found
    masters = [name for name in found[0] if name.startswith("master.")]
    heads = ("master.model.head.score.weight", "master.value.score.weight")
    assert masters and all(name.endswith((".lora_a", ".lora_b", *heads)) for name in masters)
    moments = {name for name in found[0] if name.startswith("exp_avg.")}
    assert moments == {name.replace("master.", "exp_avg.") for name in masters}


def test_gone_on_with_it_is_bit_equal(stage: Stage, tmp_path: Path) -> None:
    verb, config, out, _ = stage
    again = tmp_path / "again"
    shutil.copytree(out, again)
    record = json.loads((again / "stage.json").read_text())
    (again / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    for name in ("model", "adapter"):
        shutil.rmtree(again / name)
    shutil.rmtree(max((again / "checkpoints").iterdir()))
    execute_stage(verb, config, again)
    names = [file.relative_to(out) for file in out.rglob("*") if file.is_file() and file.name != "stage.json"]
    assert all((again / name).read_bytes() == (out / name).read_bytes() for name in names)
    assert Path("adapter/adapter_model.safetensors") in names


def test_the_engine_writes_with_what_was_learned(lora_ppo: PPO, run: Path) -> None:
    out = execute_stage("ppo", lora_ppo, run / "lora-ppo").path
    first, second = read_metrics(out / "metrics.jsonl")
    assert second["kl_nats"] != pytest.approx(0.0, abs=1e-3)  # it has moved
    assert first["first_ratio_error"] < 1e-4 and second["first_ratio_error"] < 1e-4


def test_export_merges_an_adapter(gptwright: Callable[..., Any], stage: Stage, tmp_path: Path) -> None:
    _, _, out, base = stage
    done = gptwright("export", base, "--adapter", out / "adapter", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    expected = load(out).network.state_dict()
    for name, tensor in load(tmp_path / "out").network.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-6, rtol=1e-6)


def test_an_adapter_of_another_base_is_refused(
    refused: Callable[..., str], stage: Stage, pretrained: Path, tuned: Path, tmp_path: Path
) -> None:
    _, _, out, base = stage
    other = pretrained if base == tuned else tuned
    with pytest.raises(ArtifactError, match="one with other weights"):
        load(other, adapter=out)
    message = refused("export", other, "--adapter", out, "--out", tmp_path / "out")
    assert "was trained on" in message
    assert not (tmp_path / "out").exists()


def test_the_control_leaves_no_adapter(lora_reward: Reward, tmp_path: Path) -> None:
    out = execute_stage("reward", replace(lora_reward, shuffled=True, steps=1), tmp_path / "out").path
    assert not (out / "adapter").exists()


def test_a_rank_below_zero_is_refused(refused: Callable[..., str], sft_config: SFT, tmp_path: Path) -> None:
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--sequence-length", 32,
                      "--conversations", sft_config.conversations[0], "--lora", -1, "--out", tmp_path)  # fmt: skip
    assert "lora from 0 to 1,024" in message
