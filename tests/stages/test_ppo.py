"""What ppo leaves; its scale kept over a stop; prompts without a split; what it refuses."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gptwright.configs.ppo import PPO, PRESETS
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.pipelines.load import load_decoder as load
from gptwright.recipes.stage import execute_stage
from gptwright.stages.reward import Reward
from gptwright.stages.sft import CHAT_DEFAULTS
from gptwright.text.instruction_rules import instructions
from gptwright.text.rule_labeller import RULES, plain_words
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.evaluation import read_evaluations
from tokenizers import Tokenizer as Backend

Refused = Callable[..., str]


def test_evaluation_compares_both_models(improved: Path) -> None:
    found = read_evaluations(improved)
    assert set(found) == {"sft", "ppo", "comparison"}
    comparison, wins = found["comparison"], found["comparison"].estimates["win_rate"]
    assert set(comparison.metrics) == {"kl_nats", "kl_k3_nats"} and len(comparison.samples) == 4
    assert wins.count == 4 and 0 <= wins.low <= wins.high <= 1
    for model in (found["sft"], found["ppo"]):
        names = {"judge_score", "distinct_pairs", "answer_words", "heldout_nats", "heldout_bits_per_byte"}
        assert set(model.metrics) == names and len(model.samples) == 4 and set(model.estimates) == {"known"}


def test_people_who_ranked_are_not_judged_by_a_rule(improved: Path, ppo_config: PPO) -> None:
    assert finished_stage(ppo_config.reward)["metrics"]["labellers"] == {"people without a name": 12}
    assert read_evaluations(improved)["comparison"].notes == {}


def test_rankings_of_a_rule_are_judged_by_it(
    ppo_config: PPO, reward_config: Reward, rankings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rankings.jsonl"
    path.write_text(rankings.read_text().replace('"ranks"', '"labeller": "plain-words", "ranks"'))
    made = replace(reward_config, rankings=(path,), steps=1)
    reward = execute_stage("reward", made, tmp_path / "reward").path
    folder = execute_stage("ppo", replace(ppo_config, reward=reward, updates=1), tmp_path / "ppo").path
    comparison = read_evaluations(folder)["comparison"]
    said = [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert "by the rule 'plain-words', which made the rankings" in capsys.readouterr().err
    new, old = (
        [plain_words(line, line["answers"][line["models"].index(name)]) for line in said] for name in ("ppo", "sft")
    )
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(new, old, strict=True)) / len(said)
    assert comparison.notes == {"rule": "plain-words"} and comparison.estimates["win_rate"].value == wins


def test_a_rule_rewards_alone_and_beside_a_reward_model(
    ppo_config: PPO, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = replace(ppo_config, reward=None, rule="plain-words", updates=1, questions=None, conversations=())
    folder = execute_stage("ppo", alone, tmp_path / "alone").path
    first = read_metrics(folder / "metrics.jsonl")[0]
    assert first["score"] == first["gold"] == -20.0, "six tokens are no sixteen letters"
    assert "which gave the rewards: no independent judge" in capsys.readouterr().err
    both = replace(alone, reward=ppo_config.reward, rule_weight=0.0)
    found = read_metrics(execute_stage("ppo", both, tmp_path / "both").path / "metrics.jsonl")[0]
    assert found["gold"] == first["gold"] and found["score"] != first["score"]


def test_a_reward_there_must_be(refused: Refused, ppo_config: PPO, tmp_path: Path) -> None:
    given = words(ppo_config)
    at = given.index("--reward")
    assert "Give --reward DIR, --rule NAME, or both" in refused("ppo", *given[:at], *given[at + 2 :], "--out", tmp_path)
    assert "Did you mean 'plain-words'" in refused("ppo", *words(ppo_config, rule="plain"), "--out", tmp_path)


def test_a_rule_that_gives_shares_tells_them_by_kind(
    ppo_config: PPO, reward_config: Reward, rankings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [{"prompt": f"Cat {n} {kind}", "kind": kind, "constraints": [{"kind": kind, "count": 99}],
              "split": "heldout" if n % 2 else "train"} for n in range(8) for kind in ("short", "list")]  # fmt: skip
    prompts, ranked = tmp_path / "prompts.jsonl", tmp_path / "rankings.jsonl"
    prompts.write_text("".join(json.dumps(line) + "\n" for line in asked))
    ranked.write_text(rankings.read_text().replace('"ranks"', '"labeller": "instructions", "ranks"'))
    reward = execute_stage("reward", replace(reward_config, rankings=(ranked,), steps=1), tmp_path / "reward").path
    config = replace(ppo_config, reward=reward, prompts=prompts, updates=1, heldout_prompts=8)
    folder = execute_stage("ppo", config, tmp_path / "ppo").path
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    found, said = read_evaluations(folder), capsys.readouterr().err
    for kind in ("short", "list"):
        for name in ("sft", "ppo"):
            met = [instructions(line, line["answers"][line["models"].index(name)]) for line in lines
                   if line["kind"] == kind]  # fmt: skip
            assert found[name].estimates[kind].value == sum(met) / len(met)
            assert found[name].estimates[kind].count == len(met) == 4
        before, after = (found[name].estimates[kind].value for name in ("sft", "ppo"))
        assert f"ppo: {kind}: {before:.0%} → {after:.0%}" in said


def test_what_both_say_is_left_for_people_and_report_counts_their_ranks(
    improved: Path, gptwright: Callable[..., Any], tmp_path: Path
) -> None:
    lines = [json.loads(line) for line in (improved / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 4 and all(sorted(line["models"]) == ["ppo", "sft"] for line in lines)
    for line in lines:
        line["ranks"] = [1 if model == "ppo" else 2 for model in line["models"]]
    path = tmp_path / "ours.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "run").mkdir()
    shutil.copytree(improved, tmp_path / "run/08-ppo")
    before = gptwright("report", tmp_path / "run")
    after = gptwright("report", tmp_path / "run", "--judgements", path)
    assert "by the reward model itself" in before.err
    assert "by the people of ours.jsonl" in after.err and "by the reward model itself" not in after.err


def test_figures_follow_from_the_evaluation(improved: Path) -> None:
    found, metrics = read_evaluations(improved), finished_stage(improved, "ppo")["metrics"]
    comparison = found["comparison"]
    assert metrics["win_rate"] == comparison.estimates["win_rate"].value
    assert metrics["kl_nats"] == comparison.metrics["kl_nats"]
    before, after = (found[name].metrics["heldout_nats"] for name in ("sft", "ppo"))
    assert metrics["heldout_nats_rise"] == after - before


def test_metrics_names_one_line_an_update(improved: Path) -> None:
    logged = read_metrics(improved / "metrics.jsonl")
    assert [line["step"] for line in logged] == [1, 2]
    wanted = {"score", "kl_nats", "kl_k3_nats", "answer_tokens", "ended", "entropy_nats", "value_loss", "gradient_norm"}
    assert wanted <= set(logged[0])
    assert logged[0]["kl_nats"] == pytest.approx(0.0, abs=1e-5)  # the policy begins as the reference
    assert logged[0]["first_ratio_error"] < 1e-4


def test_it_leaves_a_chat_model_and_the_value_head(improved: Path, tuned: Path) -> None:
    model, start = load(improved), load(tuned)
    assert (model.sampling.temperature, model.sampling.max_tokens) == (
        CHAT_DEFAULTS.sampling.temperature,
        CHAT_DEFAULTS.sampling.max_tokens,
    )
    assert load_file(improved / "value_head.safetensors")["score.weight"].shape == (1, 16)
    changed = [name for name, p in model.network.state_dict().items() if not p.equal(start.network.state_dict()[name])]
    assert changed


def test_gone_on_with_it_keeps_the_scale_of_the_scores_and_is_bit_equal(
    ppo_config: PPO, improved: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(improved, out)
    record = json.loads((out / "stage.json").read_text())
    (out / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    shutil.rmtree(out / "model")
    kept = sorted((out / "checkpoints").iterdir())
    assert [path.name for path in kept] == ["step-000001", "step-000002"]
    states = [json.loads((path / "state.json").read_text()) for path in kept]
    assert states[0]["score_mean"] == states[1]["score_mean"] and states[0]["score_std"] == states[1]["score_std"] > 0
    shutil.rmtree(kept[1])
    execute_stage("ppo", ppo_config, out)
    again = json.loads((out / "checkpoints/step-000002/state.json").read_text())
    assert again == states[1]
    for name in ("model/model.safetensors", "value_head.safetensors", "evaluation.json", "metrics.jsonl"):
        assert (out / name).read_bytes() == (improved / name).read_bytes()


def test_gone_on_with_every_option_is_bit_equal(ppo_config: PPO, tmp_path: Path) -> None:
    config = replace(ppo_config, critic="separate", ema=0.9, kl="k3", kl_horizon=40, whiten_rewards=True, clip=0.1,
                     rule="plain-words", rule_weight=0.1, reward_clip=3.0, evaluate_every=1, stop_early=True, lam=0.9,
                     gamma=0.99, updates=2, questions=None, conversations=(), schedule="constant")  # fmt: skip
    whole, stopped = execute_stage("ppo", config, tmp_path / "whole").path, tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    record = json.loads((stopped / "stage.json").read_text())
    (stopped / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    for name in ("model", "critic", "checkpoints/step-000002"):
        shutil.rmtree(stopped / name)
    execute_stage("ppo", config, stopped)
    state = json.loads((whole / "checkpoints/step-000002/state.json").read_text())
    assert state["beta"] != config.beta and state["peak"]["update"] in (1, 2)
    assert finished_stage(whole)["metrics"]["peak_update"] == state["peak"]["update"]
    for name in ("model/model.safetensors", "critic/model.safetensors", "evaluation.json", "metrics.jsonl"):
        assert (whole / name).read_bytes() == (stopped / name).read_bytes()
    seen = read_metrics(whole / "metrics.jsonl")[1]
    assert {"heldout_score", "heldout_gold", "heldout_kl_nats", "beta", "clip_fraction"} <= set(seen)
    assert not (whole / "value_head.safetensors").exists()


def test_a_rewards_nan_is_named_and_the_last_good_state_stays(
    ppo_config: PPO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def breaks(fields: Mapping[str, Any], text: str) -> float:
        if text or calls:  # an empty answer to every prompt comes first
            calls.append(text)
        return 1.0 if len(calls) <= 2 * ppo_config.episodes else float("nan")

    monkeypatch.setitem(RULES, "plain-words", breaks)
    config = replace(ppo_config, reward=None, rule="plain-words", questions=None, conversations=())
    with pytest.raises(InputError, match="finite scores from the rule breaks in update 2; got 4 of 4"):
        execute_stage("ppo", config, tmp_path / "out")
    assert (tmp_path / "out/checkpoints/step-000001/state.json").exists()


@pytest.mark.parametrize("verb", ["ppo", "grpo"])
def test_the_command_says_so_too(
    refused: Callable[..., str], ppo_config: PPO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setitem(RULES, "plain-words", lambda fields, text: float("nan"))
    paths = ("--policy", ppo_config.policy, "--prompts", ppo_config.prompts, "--tokens", ppo_config.tokens)
    sizes = ("--max-tokens", 4, "--sequence-length", ppo_config.sequence_length, "--episodes", 8, "--minibatches", 1)
    message = refused(verb, *paths, *sizes, "--rule", "plain-words", "--out", tmp_path / "out")
    assert "in update 1; got 8 of 8 that are not, the first to line" in message


@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_in_bfloat16_it_begins_where_it_was_too(ppo_config: PPO, tmp_path: Path, critic: str) -> None:
    config = replace(ppo_config, dtype="bfloat16", critic=critic, updates=1, questions=None, conversations=())
    out = execute_stage("ppo", config, tmp_path / "out").path
    (line,), metrics = read_metrics(out / "metrics.jsonl"), finished_stage(out, "ppo")["metrics"]
    assert (line["repeat_error"], line["kl_k3_nats"], metrics["reference_changed"]) == (0, 0, 0)
    assert all(part.dtype == torch.float32 for part in load(out).network.parameters())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"preset": "instruct"}, "Did you mean 'instructgpt'"),
        ({"preset": "nplus", "beta": 0.3, "episodes": PPO.episodes}, "either preset or beta"),
        ({"kl": "k2"}, "a kl"),
        ({"critic": "apart"}, "Did you mean 'separate'|a critic"),
        ({"stop_early": True}, "evaluate_every beside stop_early"),
    ],
)
def test_options_that_cannot_be(ppo_config: PPO, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        replace(ppo_config, **change)


def test_a_preset_is_the_papers_and_leaves_the_rate_to_the_model(ppo_config: PPO) -> None:
    found = replace(ppo_config, preset="instructgpt", episodes=PPO.episodes).resolved
    assert (found.beta, found.epochs, found.minibatches, found.ema, found.critic) == (0.02, 1, 8, 0.992, "separate")
    assert found.ptx_weight == 27.8 and found.learning_rate == 9e-6 and found.preset == ""
    own = replace(ppo_config, preset="ziegler2019", episodes=PPO.episodes, learning_rate=1e-3).resolved
    assert own.learning_rate == 1e-3 and (own.kl_target, own.kl_horizon, own.whiten_rewards) == (6.0, 10_000, True)
    assert all(set(preset) == set(PRESETS["nplus"]) for preset in PRESETS.values())


def test_an_unknown_split_is_named(ppo_config: PPO, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "Who?"}\n{"prompt": "What?", "split": "heldoutt"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"(?s)line 2 of .*Did you mean 'heldout'"):
        execute_stage("ppo", replace(ppo_config, prompts=path), tmp_path / "out")


def test_prompts_without_a_split_give_a_tenth_to_judge(ppo_config: PPO, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Question {i}?"}) + "\n" for i in range(30)))
    config = replace(ppo_config, prompts=path, updates=1, questions=None, conversations=())
    folder = execute_stage("ppo", config, tmp_path / "out")
    found = read_evaluations(folder.path)
    assert 1 <= found["comparison"].estimates["win_rate"].count <= 8 and found["ppo"].estimates == {}


def words(config: PPO, **changed: Any) -> list[object]:
    given = {"policy": config.policy, "reward": config.reward, "prompts": config.prompts, "tokens": config.tokens}
    settings: dict[str, Any] = given | {"sequence_length": 32, "updates": 1, "episodes": 4, "max_tokens": 6} | changed
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]


def test_an_empty_file_of_prompts(refused: Refused, ppo_config: PPO, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    message = refused("ppo", *words(ppo_config, prompts=tmp_path / "none.jsonl"), "--out", tmp_path / "out")
    assert "none.jsonl" in message and "an empty file" in message
    assert not (tmp_path / "out").exists()


def test_prompts_that_leave_no_room(refused: Refused, ppo_config: PPO, tmp_path: Path) -> None:
    assert "lower max_tokens" in refused("ppo", *words(ppo_config, max_tokens=95), "--out", tmp_path / "out")


def test_a_prompt_that_is_none_is_named_by_its_line(refused: Refused, ppo_config: PPO, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "Who?"}\n{"question": "Who?"}\n')
    assert "line 2" in refused("ppo", *words(ppo_config, prompts=path), "--out", tmp_path / "out")


def test_a_language_model_is_no_judge(refused: Refused, ppo_config: PPO, tmp_path: Path) -> None:
    message = refused("ppo", *words(ppo_config, reward=ppo_config.policy), "--out", tmp_path / "out")
    assert "made by 'reward'" in message and "made by 'sft'" in message


def prompts(path: Path, *asked: str, **more: Any) -> Path:
    path.write_text("".join(json.dumps({"prompt": text, **more}) + "\n" for text in asked))
    return path


def test_long_prompts_are_named_counted_and_passed_over(
    ppo_config: PPO, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = prompts(tmp_path / "p.jsonl", *("cat " * 96 if i in (2, 5) else f"{i}?" for i in range(8)))
    execute_stage(
        "ppo", replace(ppo_config, prompts=path, updates=1, questions=None, conversations=()), tmp_path / "out"
    )
    told = capsys.readouterr().err
    assert "held out to measure on; 2 dropped (2 of more than 90 tokens, the first on line 3 of" in told


@pytest.mark.parametrize(
    ("asked", "more", "says"),
    [
        (["One?"], {}, "at least two prompts"),
        (["One?", "one? ", "ONE?"], {}, "at least two prompts"),
        (["One?", "cat " * 96], {}, "1 dropped (1 of more than 90 tokens, the first on line 2"),
        (["One?", "Two?"], {"split": "validation"}, "at least two prompts"),
        (["One?", "Two?"], {"split": "validatoin"}, "Did you mean 'validation'"),
    ],
)
def test_too_few_prompts(
    refused: Refused, ppo_config: PPO, tmp_path: Path, asked: list[str], more: dict[str, str], says: str
) -> None:
    path = prompts(tmp_path / "p.jsonl", *asked, **more)
    assert says in refused("ppo", *words(ppo_config, prompts=path), "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_prompts_that_the_assistant_has_answered(refused: Refused, ppo_config: PPO, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    (tmp_path / "p.jsonl").write_text('{"prompt": "Who?"}\n' + json.dumps({"messages": talk}))
    message = refused("ppo", *words(ppo_config, prompts=tmp_path / "p.jsonl"), "--out", tmp_path / "out")
    assert "line 2 of" in message and "ends with its answer" in message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"language": "zh"}, "3 in another language"),
        ({"split": "test"}, "conversations to mix in"),
        ({}, "3 without an"),
    ],
)
def test_conversations_of_which_none_counts(
    refused: Refused, ppo_config: PPO, tmp_path: Path, line: dict[str, str], says: str
) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}][: 2 if line else 1]
    path = tmp_path / "talk.jsonl"
    path.write_text((json.dumps({"messages": talk, **line}) + "\n") * 3)
    message = refused("ppo", *words(ppo_config, conversations=path), "--out", tmp_path / "out")
    assert "conversations to mix in" in message and says in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["merges", "template"])
def test_a_reward_model_that_reads_otherwise_is_refused(
    refused: Refused, ppo_config: PPO, rewarded: Path, tmp_path: Path, part: str
) -> None:
    """Of the same number of tokens: only their order, or only the template, is another."""
    other = tmp_path / "reward"
    shutil.copytree(rewarded, other)
    tokenizer = Tokenizer.load(other / "model")
    if part == "merges":
        table = json.loads(tokenizer.backend.to_str())
        table["model"]["merges"] = table["model"]["merges"][::-1]
        changed = Tokenizer(Backend.from_str(json.dumps(table)), tokenizer.special_tokens)
    else:
        template = (tokenizer.special_tokens.chat_template or "") + "\n"
        changed = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=template))
    assert changed.vocab == tokenizer.vocab
    changed.save(other / "model")
    (other / "model/manifest.json").unlink()
    message = refused("ppo", *words(ppo_config, reward=other), "--out", tmp_path / "out")
    assert {"merges": "another tokenizer", "template": "another chat template"}[part] in message
    assert not (tmp_path / "out").exists()
