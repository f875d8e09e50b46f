"""What reads prompts reads their images: what is preferred is decided by the image alone."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import pytest

from gptwright.alignment.rankings import comparable
from gptwright.configs.dpo import DPO
from gptwright.configs.ppo import PPO
from gptwright.configs.rank import Rank
from gptwright.configs.rejection import Rejection
from gptwright.configs.reward import Reward
from gptwright.configs.tokenize import Tokenize
from gptwright.foundations.intake import Intake
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.images.named import named_image
from gptwright.pipelines.load import load, load_writer
from gptwright.pipelines.vision_model import VisionModel
from gptwright.recipes.stage import execute_stage
from gptwright.store.ranking_lines import read_rankings
from gptwright.tasks.vision import read_conversations
from gptwright.tokenizers.chat_templates.chat import read_messages
from gptwright.tokenizers.chat_templates.parts import images_of

PICTURES = 12


def question(number: int) -> list[dict[str, Any]]:
    url = f"sheet.png#xywh={8 * number},0,8,8"
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}},
                                         {"type": "text", "text": "Who fell?"}]}]  # fmt: skip


@pytest.fixture(scope="session")
def judged(pictures: Path, run: Path) -> Path:
    """Of the first pictures one answer is better, of the others the other; nothing else tells them apart."""
    folder = run / "judged"
    folder.mkdir()
    shutil.copy(pictures / "sheet.png", folder)
    lines = [{"messages": question(n), "answers": ["the rain", "the cat"], "labeller": "rule:plain-words",
              "ranks": [1, 2] if n < PICTURES // 2 else [2, 1], "split": "heldout" if n % 4 == 2 else "train"}
             for n in range(PICTURES)]  # fmt: skip
    (folder / "rankings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    prompts = [{"messages": line["messages"], "split": line["split"]} for line in lines]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in prompts))
    return folder


@pytest.fixture(scope="session")
def reward_config(seeing: Path, judged: Path) -> Reward:
    return Reward(base=seeing, rankings=(judged / "rankings.jsonl",), steps=30, batch_size=9, learning_rate=0.01,
                  threads=1)  # fmt: skip


@pytest.fixture(scope="session")
def rewarded(reward_config: Reward, run: Path) -> Path:
    return execute_stage("reward", reward_config, run / "reward-seeing").path


@pytest.fixture(scope="session")
def dpo_config(seeing: Path, judged: Path, tokens: Path) -> DPO:
    return DPO(policy=seeing, rankings=(judged / "rankings.jsonl",), tokens=tokens, steps=30, batch_size=9,
               learning_rate=0.01, beta=1.0, max_tokens=4, ptx_batch_size=1, sequence_length=16, heldout_prompts=3,
               threads=1)  # fmt: skip


@pytest.fixture(scope="session")
def tokens(seeing: Path, prepared: Path, run: Path) -> Path:
    """Packed with the vocabulary that has a token for images."""
    return execute_stage("tokenize", Tokenize(text=prepared, model=seeing), run / "tokens-seeing").path


def test_a_reward_model_learns_what_the_image_alone_decides(rewarded: Path) -> None:
    losses = [line["loss_nats"] for line in read_metrics(rewarded / "metrics.jsonl")]
    assert losses[0] == pytest.approx(log(2), abs=1e-3) and losses[-1] < 0.5, "prompts of one text teach ln 2 at best"


def test_a_policy_learns_it_from_rankings_and_still_sees(dpo_config: DPO, run: Path) -> None:
    out = execute_stage("dpo", dpo_config, run / "dpo-seeing").path
    losses = [line["loss_nats"] for line in read_metrics(out / "metrics.jsonl")]
    assert losses[-1] < losses[0] - 0.2
    after, before = load(out), load(dpo_config.policy)
    assert isinstance(after, VisionModel) and isinstance(before, VisionModel)
    assert after.writer.sight == before.writer.sight, "what brings images to it stays"
    said = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    assert len(said) == 3 and said[0]["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png")


def test_ppo_answers_prompts_with_images_for_a_reward_model_that_sees_them(
    dpo_config: DPO, rewarded: Path, judged: Path, run: Path
) -> None:
    shared = {name: getattr(dpo_config, name) for name in ("tokens", "max_tokens", "ptx_batch_size", "sequence_length",
                                                           "heldout_prompts", "threads")}  # fmt: skip
    config = PPO(policy=dpo_config.policy, reward=rewarded, prompts=judged / "prompts.jsonl", updates=2, episodes=4,
                 **shared)  # fmt: skip
    out = execute_stage("ppo", config, run / "ppo-seeing").path
    assert finished_stage(out)["metrics"]["reference_changed"] == 0
    assert isinstance(load(out), VisionModel)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_to_images_are_ranked_and_the_rankings_hold_the_images(seeing: Path, judged: Path, run: Path) -> None:
    config = Rank(model=seeing, prompts=judged / "prompts.jsonl", train_prompts=3, heldout_prompts=2, answers=3,
                  temperature=5.0, max_tokens=4, threads=1)  # fmt: skip
    out = execute_stage("rank", config, run / "rank-seeing").path
    rankings = read_rankings(out / "rankings.jsonl")
    assert len(rankings) == 5 and len({*images_of([m for r in rankings for m in r.messages])}) == 5
    blind = replace(config, temperature=0.0)
    first, again = (read_rankings(execute_stage("rank", blind, run / name).path / "rankings.jsonl")
                    for name in ("rank-seeing-0", "rank-seeing-1"))  # fmt: skip
    assert [each.answers for each in first] == [each.answers for each in again]
    writer = load_writer(seeing)
    for ranking in first:
        assert ranking.answers[0] == writer.chat(ranking.messages, max_tokens=4, temperature=0.0)


def test_the_best_answers_to_images_are_conversations_that_vision_reads(
    seeing: Path, rewarded: Path, judged: Path, run: Path
) -> None:
    config = Rejection(policy=seeing, reward=rewarded, prompts=judged / "prompts.jsonl", samples=3, max_tokens=3,
                       temperature=5.0, threads=1)  # fmt: skip
    out = execute_stage("rejection", config, run / "rejection-seeing").path
    assert len({*images_of([m for r in read_rankings(out / "rankings.jsonl") for m in r.messages])}) == PICTURES
    kept = read_conversations(out / "conversations.jsonl")
    assert len(kept) == finished_stage(out)["metrics"]["kept"]
    assert all(images_of(each.messages) and each.messages[-1]["role"] == "assistant" for each in kept)


def test_scores_are_of_the_image(
    seeing: Path, tuned: Path, rewarded: Path, judged: Path, gptwright: Callable[..., Any],
    refused: Callable[..., str], tmp_path: Path,
) -> None:  # fmt: skip
    rankings = judged / "rankings.jsonl"
    done = gptwright("score", rewarded, rankings, "--base", seeing)
    assert done.code == 0, done.err
    said = [json.loads(line) for line in done.out.splitlines()]
    right = [(line["scores"][0] > line["scores"][1]) == (line["ranks"] == [1, 2]) for line in said]
    assert sum(right) >= 9, "as it was taught"
    assert "--base" in refused("score", rewarded, rankings)
    assert "reads images as" in refused("score", rewarded, rankings, "--base", tuned)
    long = lines_of(rankings)[0] | {"answers": ["the " * 1000, "the cat"], "ranks": [2, 1]}
    shutil.copy(judged / "sheet.png", tmp_path)
    (tmp_path / "long.jsonl").write_text(json.dumps(long))
    assert json.loads(gptwright("score", rewarded, tmp_path / "long.jsonl", "--base", seeing).out)["scores"][0] is None


def test_a_file_of_prompts_with_images_is_answered(seeing: Path, judged: Path, gptwright: Callable[..., Any]) -> None:
    done = gptwright("generate", seeing, "--prompts", judged / "prompts.jsonl", "--temperature", 0, "--max-tokens", 4)
    assert done.code == 0, done.err
    writer, load = load_writer(seeing), partial(named_image, folder=judged)
    for line in map(json.loads, done.out.splitlines()):
        asked = read_messages(line["messages"], "the line", load)
        assert line["answers"] == [writer.chat(asked, max_tokens=4, temperature=0.0)]


def test_what_cannot_be_is_refused(
    reward_config: Reward, rewarded: Path, tuned: Path, judged: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    rankings = judged / "rankings.jsonl"
    said = refused("reward", "--base", tuned, "--rankings", rankings, "--out", tmp_path / "blind")
    assert "an image in it" in said
    said = refused("reward", "--base", reward_config.base, "--rankings", rankings, "--lora", 2, "--out", tmp_path / "x")
    assert "which sees" in said
    lost = tmp_path / "rankings.jsonl"
    lost.write_text(rankings.read_text())
    assert "sheet.png" in refused("reward", "--base", tuned, "--rankings", lost, "--out", tmp_path / "lost")


def test_prompts_that_differ_in_their_image_alone_are_two(seeing: Path, judged: Path) -> None:
    rankings = read_rankings(judged / "rankings.jsonl")
    found = comparable(rankings, load_writer(seeing), Intake("reward"))
    assert len({tuple(ids.rows[0]) for _, ids in found}) == 1
    assert len({next(iter(ids.content.values())).key for _, ids in found}) == PICTURES
    model = load_writer(seeing)
    long = replace(found[0][0], answers=["the " * (model.context - 18), "the cat"])
    assert not comparable([long], model, Intake("reward")), "nothing of a prompt with an image is cut"
