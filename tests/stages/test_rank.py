"""The simulated labeller: K answers a prompt, ranks by the rule, held-out prompts from held-out text only."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.rank import Rank
from gptwright.foundations.runs import finished_stage
from gptwright.recipes.stage import execute_stage
from gptwright.store.ranking_lines import read_rankings
from gptwright.text.rule_labeller import RULES, plain_words

Refused = Callable[..., str]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def lines(ranked: Path) -> list[dict[str, Any]]:
    return read(ranked / "rankings.jsonl")


def test_every_prompt_has_its_answers(lines: list[dict[str, Any]]) -> None:
    assert [line["split"] for line in lines] == ["train"] * 8 + ["heldout"] * 4
    assert all(len(line["answers"]) == 3 == len(line["ranks"]) for line in lines)
    assert {line["labeller"] for line in lines} == {"plain-words"}
    assert all(line["messages"][-1]["role"] == "user" for line in lines)


def test_ranks_follow_the_rule(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        scores = [round(plain_words({}, answer), 2) for answer in line["answers"]]
        for a, rank_a in zip(scores, line["ranks"], strict=True):
            for b, rank_b in zip(scores, line["ranks"], strict=True):
                assert (a > b) == (rank_a < rank_b) and (a == b) == (rank_a == rank_b)
        assert set(line["ranks"]) == set(range(1, max(line["ranks"]) + 1))


def test_a_side_is_asked_about_its_own_text_only(ranked: Path, prepared: Path) -> None:
    words = {
        split: {word for line in read(prepared / f"{split}.jsonl") for word in line["text"].split()}
        for split in ("train", "heldout")
    }
    for line in read(ranked / "prompts.jsonl"):
        asked = set(line["messages"][0]["content"].removeprefix("Continue: ").split())
        other = "heldout" if line["split"] == "train" else "train"
        assert asked <= words[line["split"]] and not asked & words[other]


def test_prompts_are_more_than_were_answered_and_begin_with_them(ranked: Path, lines: list[dict[str, Any]]) -> None:
    prompts = read(ranked / "prompts.jsonl")
    for split, count in (("train", 4 * 8), ("heldout", 512)):
        offered = [line["messages"] for line in prompts if line["split"] == split]
        assert len(offered) == count
        answered = [line["messages"] for line in lines if line["split"] == split]
        assert offered[: len(answered)] == answered


def test_figures(ranked: Path, lines: list[dict[str, Any]]) -> None:
    metrics = finished_stage(ranked, "rank")["metrics"]
    assert metrics == {"rankings": 12, "all_tied": sum(set(line["ranks"]) == {1} for line in lines) / 12}


def test_reward_reads_what_rank_wrote(ranked: Path) -> None:
    assert [len(ranking.answers) for ranking in read_rankings(ranked / "rankings.jsonl")] == [3] * 12


def test_the_seed_decides_everything(rank_config: Rank, ranked: Path, tmp_path: Path) -> None:
    again = execute_stage("rank", rank_config, tmp_path / "again").path
    assert (again / "rankings.jsonl").read_bytes() == (ranked / "rankings.jsonl").read_bytes()
    other = execute_stage("rank", replace(rank_config, seed=2), tmp_path / "other").path
    assert (other / "rankings.jsonl").read_bytes() != (ranked / "rankings.jsonl").read_bytes()


def test_prompts_of_ones_own_keep_what_their_lines_say(
    rank_config: Rank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "asked-length", lambda line, answer: -abs(len(answer) - int(line["letters"])))
    given = [{"prompt": f"The cat {n}", "letters": n, "ranks": [1], "split": "heldout" if n > 5 else "train"}
             for n in range(8)]  # fmt: skip
    path = written(tmp_path / "asked.jsonl", given)
    config = replace(rank_config, text=None, prompts=path, rule="asked-length", train_prompts=4, heldout_prompts=9)
    folder = execute_stage("rank", config, tmp_path / "out").path
    prompts, lines = read(folder / "prompts.jsonl"), read(folder / "rankings.jsonl")
    assert sorted((p["messages"][0]["content"], p["letters"], p["split"]) for p in prompts) == [
        (line["prompt"], line["letters"], line["split"]) for line in given
    ]
    assert not any("ranks" in prompt or "prompt" in prompt for prompt in prompts)
    assert [line["split"] for line in lines] == ["train"] * 4 + ["heldout"] * 2
    for line in lines:
        far = [abs(len(answer) - line["letters"]) for answer in line["answers"]]
        assert line["ranks"] == [sorted(set(far)).index(letters) + 1 for letters in far]


def test_prompts_come_from_one_place(refused: Refused, rank_config: Rank, tmp_path: Path) -> None:
    path = written(tmp_path / "asked.jsonl", [{"prompt": "The cat"}])
    words = ("rank", "--model", rank_config.model, "--out", tmp_path / "out")
    assert "either text, prompts or from_store; got text and prompts" in refused(
        *words, "--text", rank_config.text, "--prompts", path
    )
    assert "either text, prompts or from_store; got neither" in refused(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--answers", 1), "answers from 2 to"),
        (("--train-prompts", 0), "train_prompts from 1 to"),
        (("--heldout-prompts", -1), "heldout_prompts from 0 to"),
        (("--max-tokens", 0), "max_tokens from 1 to"),
        (("--rule", "plain-wrods"), "Did you mean 'plain-words'?"),
    ],
)
def test_settings_that_make_no_sense(
    refused: Refused, rank_config: Rank, tmp_path: Path, words: tuple[object, ...], says: str
) -> None:
    assert says in refused(
        "rank", "--model", rank_config.model, "--text", rank_config.text, *words, "--out", tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()
