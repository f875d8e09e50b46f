"""evaluate --prefer: the judges, the person in the terminal, and a session that was stopped."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.evaluate import Evaluate
from gptwright.evaluation.blind import answer, by_reward, by_rule, judged, wins
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import with_head
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.stages.evaluate import run
from gptwright.store.ranking_lines import read_rankings
from gptwright.text.jsonl import Line
from gptwright.tokenizers.tokenizer import Tokenizer

SAID = [("the cat", "sat on the mat"), ("the dog", "ran to the sea"), ("we", "like it warm")]


@pytest.fixture
def folder(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    for name in "ab":
        Model(network, tokenizer, name).save(tmp_path / name)
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.25)
    prompts = [*(prompt for prompt, _ in SAID), "the sea " * 60]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts), "utf-8")
    return tmp_path


def asked(folder: Path, judge: str, **more: Any) -> Evaluate:
    return Evaluate(prefer=(folder / "a", folder / "b"), prompts=folder / "prompts.jsonl", judge=judge,
                    out=folder / "out", max_tokens=8, threads=1, **more)  # fmt: skip


def lines(models: str = "abba", prompts: str = "pqrs") -> list[Line]:
    return [Line({"messages": [{"role": "user", "content": prompt}], "models": [first, "ab".replace(first, "")],
                  "answers": [f"{first} of the sea we like", "we"]}, f"line {n}")
            for n, (first, prompt) in enumerate(zip(models, prompts, strict=True), 1)]  # fmt: skip


def test_wins_are_the_models_wherever_it_stands_and_ties_are_half() -> None:
    found = wins(lines(), [[1, 2], [1, 2], [1, 1], [2, 1]], "a")
    assert (found.value, found.count) == (0.375, 4)
    assert wins(lines(), [[1, 2], [1, 2], [1, 1], [2, 1]], "b").value == 0.625
    sure = wins(lines(), [[1, 2], [2, 1], [2, 1], [1, 2]], "a")
    assert sure.value == 1 and sure.high == pytest.approx(1) and sure.low < 0.6


def test_prompts_asked_twice_say_less() -> None:
    ranks = [[1, 2], [1, 2], [2, 1], [2, 1]] * 2
    alone, twice = (wins(lines("aaaa" * 2, prompts), ranks, "a") for prompts in ("pqrstuvw", "ppqqrrss"))
    assert alone.value == twice.value and twice.high - twice.low > alone.high - alone.low


def test_a_rule_judges_answers_and_equal_ones_tie() -> None:
    long = Line(
        {**lines()[0], "answers": ["we like to be free and warm", "extraordinary circumstances everywhere"]}, ""
    )
    same = Line({**lines()[0], "answers": ["we", "we"]}, "")
    found = [ranking["ranks"] for _, ranking in judged([long, same], by_rule("plain-words"), "plain-words")]
    assert found == [[1, 2], [1, 1]]


def test_a_reward_model_ranks_as_it_scores(network: GPT2, tokenizer: Tokenizer) -> None:
    headed = with_head(network, "reward").requires_grad_(False)
    for parameter in headed.parameters():
        parameter.normal_(0.0, 0.25)
    scorer = SequenceScorer(headed, tokenizer, "reward")
    given = [Line({**lines()[0], "answers": answers}, "") for answers in (["the sea", "warm"], ["warm", "the sea"])]
    one, other = (by_reward(scorer)(line) for line in given)
    assert one and other and one == other[::-1] and sorted(one) == [1, 2]


def test_an_answer_beyond_the_judges_context_is_counted(
    network: GPT2, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    scorer = SequenceScorer(with_head(network, "reward"), tokenizer, "reward")
    long = Line({**lines()[0], "answers": ["the sea " * 90, "warm"]}, "line 1")
    assert [*judged([long], by_reward(scorer), "reward")] == []
    assert "1 dropped" in capsys.readouterr().err


def test_a_rule_through_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(asked(folder, "plain-words"))
    printed = capsys.readouterr()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.out.splitlines()]
    assert rows[0] == ["model", "preferred", "95 % interval", "prompts", "judge"]
    assert [row[0] for row in rows[2:]] == ["a", "b"] and rows[2][3] == "3"
    assert "1 of more than 56 tokens" in printed.err  # the prompt of 60 words
    kept = (folder / "out/rankings.jsonl").read_text("utf-8")
    assert "models" not in kept and len(read_rankings(folder / "out/rankings.jsonl")) == 3
    assert json.loads((folder / "out/results.json").read_text("utf-8"))["results"]["wins"]["count"] == 3


def test_a_person_who_stops_goes_on_and_is_told_only_at_the_end(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = iter(["x", "1", "q"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(keys))
    run(asked(folder, "me"))
    printed = capsys.readouterr()
    assert "1 of 3 are judged" in printed.err and "preferred" not in printed.out
    assert "user> the cat" in printed.out and "[1] " in printed.out and "[2] " in printed.out
    keys = iter(["=", "2"])
    run(asked(folder, "me"))
    printed = capsys.readouterr()
    assert "user> the cat" not in printed.out and "preferred" in printed.out
    assert [ranking.ranks for ranking in read_rankings(folder / "out/rankings.jsonl")] == [[1, 2], [1, 1], [2, 1]]
    with pytest.raises(ConfigError, match="another one in"):
        run(asked(folder, "me", seed=2))


def test_equal_models_are_even_and_the_order_is_drawn_the_same_again(network: GPT2, tokenizer: Tokenizer) -> None:
    both = {name: Model(network, tokenizer, name, dtype="float32") for name in "ab"}
    prompts = [(Line({}, f"line {n}"), [{"role": "user", "content": f"the {n}"}]) for n in range(12)]
    said = [answer(both, prompts, Sampling(max_tokens=2), 7) for _ in range(2)]
    assert said[0] == said[1] and {line["models"][0] for line in said[0]} == {"a", "b"}
    found = [ranking["ranks"] for _, ranking in judged(said[0], by_rule("plain-words"), "plain-words")]
    assert wins(said[0], found, "a").value == 0.5


def test_a_model_without_a_chat_template_continues_the_prompt(
    network: GPT2, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=None))
    base = Model(network, bare, "base", dtype="float32")
    both = {"base": base, "chat": Model(network, tokenizer, "chat", dtype="float32")}
    messages = [{"role": "system", "content": "the sea"}, {"role": "user", "content": "the cat"}]
    (line,) = answer(both, [(Line({}, "line 1"), messages)], Sampling(max_tokens=4, temperature=0), 7)
    said = dict(zip(line["models"], line["answers"], strict=True))
    assert said["base"] == base.generate("the sea\n\nthe cat", max_tokens=4, temperature=0)
    assert said["chat"].strip() == both["chat"].chat(messages, max_tokens=4, temperature=0).strip()
    assert "base has no chat template" in " ".join(capsys.readouterr().err.split())


def test_what_is_no_judge_or_no_comparison_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'plain-words'"):
        run(asked(folder, "plain-word"))
    with pytest.raises(ConfigError, match="a reward model as --judge"):
        run(asked(folder, str(folder / "a")))
    with pytest.raises(InputError, match="prompts that both models can read"):
        (folder / "prompts.jsonl").write_text(json.dumps({"prompt": "the sea " * 60}) + "\n", "utf-8")
        run(asked(folder, "plain-words"))
    pair = (folder / "a", folder / "b")
    wrongs: list[dict[str, Any]] = [
        {"prefer": pair, "compare": pair},
        {"prefer": pair, "tasks": "a"},
        {"prefer": pair},
        {"prefer": pair, "judge": "me", "prompts": folder},
        {"tasks": "a", "judge": "me"},
    ]
    for wrong in wrongs:
        with pytest.raises(ConfigError):
            Evaluate(**wrong)
