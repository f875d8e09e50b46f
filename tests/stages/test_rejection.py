"""rejection: the best answers as conversations, all as rankings, and best of n beside one answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import log, nan
from pathlib import Path
from typing import Any

import pytest

from gptwright.alignment.demonstrations import read_conversations
from gptwright.alignment.judge import Judge
from gptwright.configs.ppo import PPO
from gptwright.configs.rejection import Rejection
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.intake import Intake
from gptwright.foundations.runs import finished_stage
from gptwright.recipes.stage import execute_stage
from gptwright.stages import rejection
from gptwright.store.ranking_lines import read_rankings
from gptwright.text.rule_labeller import RULES
from gptwright.training.evaluation import read_evaluations

LEAST = -3.0  # of the rule "brief" below: answers of three characters at most


def brief(line: Mapping[str, Any], answer: str) -> float:
    return -float(len(answer))


@pytest.fixture(scope="module")
def configs(ppo_config: PPO, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rejection]]:
    prompts = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    asked = [{"prompt": f"The cat {n}", "id": n, "split": "heldout" if n > 7 else "train"} for n in range(12)]
    prompts.write_text("".join(json.dumps(line) + "\n" for line in asked))
    shared: dict[str, Any] = {"policy": ppo_config.policy, "prompts": prompts, "max_tokens": 6, "threads": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RULES, "brief", brief)
        yield {"rule": Rejection(rule="brief", samples=5, temperature=20.0, **shared),
               "reward": Rejection(reward=ppo_config.reward, samples=4, **shared)}  # fmt: skip


Stage = tuple[Rejection, Path]


@pytest.fixture(scope="module", params=["rule", "reward"])
def stage(request: pytest.FixtureRequest, configs: dict[str, Rejection], run: Path) -> Stage:
    config = configs[request.param]
    return config, execute_stage("rejection", config, run / f"rejection-{request.param}").path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_all_answers_are_ranked_by_their_scores(stage: Stage) -> None:
    config, out = stage
    lines, read = lines_of(out / "rankings.jsonl"), read_rankings(out / "rankings.jsonl")
    assert sorted((line["id"], line["split"]) for line in lines) == [
        (n, "heldout" if n > 7 else "train") for n in range(12)
    ]
    labeller = "brief" if config.rule else "the reward model reward"
    for line, ranking in zip(lines, read, strict=True):
        assert len(line["answers"]) == config.samples and ranking.labeller == labeller
        order = sorted(set(line["scores"]), reverse=True)
        assert line["ranks"] == [order.index(score) + 1 for score in line["scores"]]
    assert Judge.of({"labellers": Judge.count(each.labeller for each in read)}).rule == (config.rule or None)


def test_it_measures_best_of_n(stage: Stage) -> None:
    config, out = stage
    found, metrics = read_evaluations(out), finished_stage(out, "rejection")["metrics"]
    assert list(found) == ["best_of_1", "best_of_2", "best_of_4", *(["best_of_5"] if config.samples == 5 else [])]
    heldout = [line["scores"] for line in lines_of(out / "rankings.jsonl") if line["split"] == "heldout"]
    one, *_, best = found.values()
    scores = [score for line in heldout for score in line]
    assert one.estimates["score"].value == pytest.approx(sum(scores) / len(scores))
    assert best.estimates["score"].value == pytest.approx(sum(map(max, heldout)) / len(heldout))
    assert one.estimates["win_rate"].value == one.estimates["win_rate"].high == 0.5
    assert 0.5 <= best.estimates["win_rate"].value <= best.estimates["win_rate"].high <= 1
    assert metrics["kl_bound_nats"] == pytest.approx(log(config.samples) - (config.samples - 1) / config.samples)
    assert all("gold" not in each.estimates and not each.notes for each in found.values())


def test_the_best_are_kept_for_sft(
    configs: dict[str, Rejection], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = execute_stage("rejection", replace(configs["rule"], max_tokens=24), tmp_path / "out").path
    rankings = {line["id"]: line for line in lines_of(out / "rankings.jsonl")}
    kept, metrics = lines_of(out / "conversations.jsonl"), finished_stage(out, "rejection")["metrics"]
    assert kept and len(kept) == metrics["kept"] and metrics["prompts"] == 12
    for line in kept:
        ranking = rankings[line["id"]]
        best = ranking["answers"][ranking["ranks"].index(1)]
        assert line["messages"] == [*ranking["messages"], {"role": "assistant", "content": best}]
        assert line["split"] == ranking["split"]
    read = read_conversations(out / "conversations.jsonl", Intake("sft"))
    assert [each.split for each in read] == [line["split"] for line in kept]
    assert f"the best of 5 answers to {len(kept)} of 12 prompts kept" in capsys.readouterr().err


def test_prompts_without_a_good_answer_are_left_out_and_counted(
    configs: dict[str, Rejection], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(configs["rule"], max_tokens=24, min_score=LEAST)
    out = execute_stage("rejection", config, tmp_path / "out").path
    good = [line["id"] for line in lines_of(out / "rankings.jsonl") if max(line["scores"]) >= LEAST]
    kept = [line["id"] for line in lines_of(out / "conversations.jsonl")]
    assert set(kept) <= set(good) and len(good) < 12
    assert f"{12 - len(good)} whose best answer scores below -3, the first on line" in capsys.readouterr().err


def test_answers_without_an_end_are_not_taught(
    configs: dict[str, Rejection], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = execute_stage("rejection", replace(configs["rule"], max_tokens=1), tmp_path / "out").path
    dropped = 12 - len(lines_of(out / "conversations.jsonl"))
    assert f"{dropped} whose best answer does not end within 1 tokens" in capsys.readouterr().err


def test_a_rule_that_did_not_choose_is_gold(
    configs: dict[str, Rejection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rejection, "reward_model_of", lambda *given: (None, Judge("plain-words", {"plain-words": 9})))
    out = execute_stage("rejection", configs["rule"], tmp_path / "out").path
    assert all(each.notes == {"rule": "plain-words"} for each in read_evaluations(out).values())
    gold, answers = read_evaluations(out)["best_of_5"].estimates["gold"], lines_of(out / "rankings.jsonl")[8:]
    chosen = [line["answers"][line["scores"].index(max(line["scores"]))].strip() for line in answers]
    expected = [max(RULES["plain-words"]({}, answer), -20.0) for answer in chosen]
    assert gold.value == pytest.approx(sum(expected) / len(expected), abs=1e-3)
    assert "by the rule 'plain-words', which made the rankings" in capsys.readouterr().err


def test_equal_scores_are_counted_and_choose_the_first(
    configs: dict[str, Rejection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(RULES, "all-same", lambda line, answer: 1.0)
    out = execute_stage("rejection", replace(configs["rule"], rule="all-same"), tmp_path / "out").path
    assert finished_stage(out, "rejection")["metrics"]["all_tied"] == 1
    assert read_evaluations(out)["best_of_5"].estimates["win_rate"].value == pytest.approx(0.5)
    assert "100% all tied" in capsys.readouterr().err
    first = {line["id"]: line["answers"][0] for line in lines_of(out / "rankings.jsonl")}
    assert all(line["messages"][-1]["content"] == first[line["id"]] for line in lines_of(out / "conversations.jsonl"))


def test_a_score_that_is_no_number_is_named(
    configs: dict[str, Rejection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "lost", lambda line, answer: nan if line["id"] == 3 else 0.0)
    with pytest.raises(InputError, match=r"5 of \d+ that are not, the first to line 4 of .*prompts\.jsonl"):
        execute_stage("rejection", replace(configs["rule"], rule="lost"), tmp_path / "out")


def test_the_seed_decides_everything_and_not_how_many_are_written_together(
    configs: dict[str, Rejection], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = execute_stage("rejection", configs["rule"], run / "rejection-rule").path
    monkeypatch.setattr(rejection, "ROWS", 7)
    again = execute_stage("rejection", configs["rule"], tmp_path / "again").path
    other = execute_stage("rejection", replace(configs["rule"], seed=2), tmp_path / "other").path
    same, changed = ((path / "rankings.jsonl").read_bytes() for path in (again, other))
    assert (first / "rankings.jsonl").read_bytes() == same != changed


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"samples": 1}, "samples from 2"),
        ({"rule": ""}, "neither"),
        ({"rule": "plain-wrods"}, "plain-words"),
        ({"min_score": nan}, "min_score"),
    ],
)
def test_options_that_do_not_fit(configs: dict[str, Rejection], changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        replace(configs["rule"], **changed)
