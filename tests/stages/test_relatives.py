"""dpo, grpo and rloo: what they leave, that they go on bit-equal, with LoRA too, and what they refuse."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gptwright.configs.dpo import DPO
from gptwright.configs.grpo import GRPO
from gptwright.configs.ppo import PPO
from gptwright.configs.rloo import RLOO
from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.pipelines.load import load
from gptwright.recipes.stage import execute_stage
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.evaluation import read_evaluations

Config = DPO | GRPO | RLOO
SHARED = ("policy", "tokens", "conversations", "questions", "max_tokens", "ptx_batch_size", "sft_batch_size",
          "sequence_length", "threads", "heldout_prompts")  # fmt: skip


@pytest.fixture(scope="session")
def configs(ppo_config: PPO, rankings: Path) -> dict[str, Config]:
    shared: dict[str, Any] = {name: getattr(ppo_config, name) for name in SHARED} | {"save_every": 1}
    groups: dict[str, Any] = shared | {"prompts": ppo_config.prompts, "updates": 2, "episodes": 8, "samples": 4}
    return {
        "dpo": DPO(rankings=(rankings,), steps=2, batch_size=2, **shared),
        "grpo": GRPO(reward=ppo_config.reward, **groups),
        "rloo": RLOO(rule="plain-words", **groups, lora=2, learning_rate=0.03),
        "dpo-lora": DPO(rankings=(rankings,), reward=ppo_config.reward, steps=2, batch_size=2, lora=2,
                        learning_rate=0.03, **shared),
    }  # fmt: skip


Stage = tuple[str, Config, Path]


@pytest.fixture(scope="session", params=["dpo", "grpo", "rloo", "dpo-lora"])
def stage(request: pytest.FixtureRequest, configs: dict[str, Config], run: Path) -> Stage:
    name, verb = request.param, request.param.split("-")[0]
    return verb, configs[name], execute_stage(verb, configs[name], run / f"relative-{name}").path


def test_what_it_leaves(stage: Stage) -> None:
    verb, config, out = stage
    found, metrics = read_evaluations(out), finished_stage(out, verb)["metrics"]
    assert set(found) == {"sft", verb, "comparison"}
    comparison = found["comparison"]
    assert metrics["kl_nats"] == comparison.metrics["kl_nats"]
    before, after = (found[name].metrics["heldout_nats"] for name in ("sft", verb))
    assert metrics["heldout_nats_rise"] == after - before
    judged = verb != "dpo" or config.reward
    assert ("win_rate" in comparison.estimates) == ("win_rate" in metrics) == bool(judged)
    assert ("pair_accuracy" in metrics) == (verb == "dpo") and ("equal_groups" in metrics) == (verb != "dpo")
    if verb == "dpo":
        assert comparison.estimates["pair_accuracy"].value == metrics["pair_accuracy"]
    said = [json.loads(line) for line in (out / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert said and all(sorted(line["models"]) == sorted([verb, "sft"]) for line in said)


def test_a_line_an_update_or_a_step(stage: Stage) -> None:
    verb, _, out = stage
    lines = read_metrics(out / "metrics.jsonl")
    assert [line["step"] for line in lines] == [1, 2]
    wanted = {"loss_nats"} if verb == "dpo" else {"score", "kl_nats", "equal_groups", "clip_fraction", "entropy_nats"}
    assert wanted <= lines[0].keys()
    if verb != "dpo":
        assert lines[0]["kl_nats"] == pytest.approx(0.0, abs=1e-5)
        assert (lines[0]["first_ratio_error"] or 0) < 1e-4 and (lines[1]["first_ratio_error"] or 0) < 1e-4


def test_it_goes_on_bit_equal(stage: Stage, tmp_path: Path) -> None:
    verb, config, out = stage
    again = tmp_path / "again"
    shutil.copytree(out, again)
    record = json.loads((again / "stage.json").read_text())
    (again / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    for name in ("model", "adapter") if config.lora else ("model",):
        shutil.rmtree(again / name)
    shutil.rmtree(max((again / "checkpoints").iterdir()))
    execute_stage(verb, config, again)
    names = [file.relative_to(out) for file in out.rglob("*") if file.is_file() and file.name != "stage.json"]
    assert all((again / name).read_bytes() == (out / name).read_bytes() for name in names)


def test_with_lora_it_is_its_start_with_the_adapter(stage: Stage) -> None:
    _, config, out = stage
    if config.lora:
        whole, merged = load(out).network, load(config.policy, adapter=out).network
        before = load(config.policy).network.state_dict()
        for name, tensor in whole.state_dict().items():
            torch.testing.assert_close(merged.state_dict()[name], tensor, atol=1e-6, rtol=1e-6)
            assert ("attention" in name and name.endswith("weight")) != torch.equal(tensor, before[name])


def test_rankings_of_a_rule_are_judged_by_it(configs: dict[str, Config], rankings: Path, tmp_path: Path) -> None:
    path = tmp_path / "rankings.jsonl"
    path.write_text(rankings.read_text().replace('"ranks"', '"labeller": "plain-words", "ranks"'))
    out = execute_stage("dpo", replace(configs["dpo"], rankings=(path,), steps=1), tmp_path / "dpo").path
    assert read_evaluations(out)["comparison"].notes == {"rule": "plain-words"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"samples": 1}, "samples from 2"),
        ({"samples": 3}, "a multiple of samples"),
        ({"reward": None}, "neither"),
        ({"rule": "plain-wrods"}, "plain-words"),
    ],
)
def test_options_that_do_not_fit(configs: dict[str, Config], changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        replace(configs["grpo"], **changed)


@pytest.mark.parametrize("name", ["dpo-lora", "grpo"])
def test_a_reward_model_of_another_tokenizer_is_refused(
    configs: dict[str, Config], rewarded: Path, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "reward"
    shutil.copytree(rewarded, other)
    tokenizer = Tokenizer.load(other / "model")
    template = (tokenizer.special_tokens.chat_template or "") + "\n"
    Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=template)).save(other / "model")
    (other / "model/manifest.json").unlink()
    with pytest.raises(ArtifactError, match="another chat template"):
        execute_stage(name.split("-")[0], replace(configs[name], reward=other), tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"answers": ["A.", "A."], "ranks": [1, 2]}, "equal ones ranked differently"),
        ({"answers": ["A.", "B."], "ranks": [1, 1]}, "all tied"),
        ({"answers": ["cat " * 60 + "A.", "B."], "ranks": [1, 2], "prompt": "dog " * 60}, "its whole prompt"),
    ],
)
def test_rankings_that_say_nothing_are_counted(
    configs: dict[str, Config], tmp_path: Path, line: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rankings.jsonl"
    good = [{"prompt": f"Question {i}?", "answers": ["The cat.", "A dog ran."], "ranks": [1, 2]} for i in range(8)]
    path.write_text("".join(json.dumps(each) + "\n" for each in [{"prompt": "Who?", **line}, *good]))
    execute_stage("dpo", replace(configs["dpo"], rankings=(path,), steps=1), tmp_path / "out")
    said = capsys.readouterr().err
    assert says in said and "1 dropped" in said
