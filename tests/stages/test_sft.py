"""What sft leaves, what it learns from, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.errors import InputError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.generation.load import load_decoder as load
from gptwright.stages.catalogue import carry_out
from gptwright.stages.sft import CHAT_DEFAULTS, SFT
from gptwright.stages.tokenize import Tokenize, open_tokens

Refused = Callable[..., str]


def lines(path: Path, *objects: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in objects), encoding="utf-8")
    return path


def test_evaluation_measures_three_models_alike(tuned: Path, pretrained: Path, tokenized: Path) -> None:
    table = json.loads((tuned / "evaluation.json").read_text(encoding="utf-8"))
    assert set(table) == {"untrained", "pretrained", "sft"}
    for row in table.values():
        assert set(row) == {"heldout_nats", "heldout_bits_per_byte", "exact_answers"}
        assert set(row["exact_answers"]["known"]) == {"value", "low", "high", "count"}
        assert row["exact_answers"]["known"]["count"] == 3
    heldout = open_tokens(tokenized, "heldout")
    for name, folder in (("pretrained", pretrained), ("sft", tuned)):
        assert table[name]["heldout_nats"] == text_loss(load(folder).network, heldout, length=32, windows=200).nats


def test_figures_follow_from_the_evaluation(tuned: Path) -> None:
    table = json.loads((tuned / "evaluation.json").read_text(encoding="utf-8"))
    figures = finished_stage(tuned, "sft")["figures"]
    assert figures["heldout_nats_rise"] == table["sft"]["heldout_nats"] - table["pretrained"]["heldout_nats"]
    assert figures["exact known"] == table["sft"]["exact_answers"]["known"]["value"]


def test_metrics_names(tuned: Path) -> None:
    logged = read_metrics(tuned / "metrics.jsonl")
    assert [line["step"] for line in logged] == [1, 2, 3, 4]
    assert set(logged[0]) == {"step", "loss_nats", "gradient_norm", "rate"}


def test_the_folder_chats_with_its_defaults(tuned: Path) -> None:
    model = load(tuned)
    assert (model.sampling.temperature, model.sampling.max_tokens) == (
        CHAT_DEFAULTS.temperature,
        CHAT_DEFAULTS.max_tokens,
    )


def test_ranked_answers_of_the_training_side_are_learned_too(
    sft_config: SFT, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ranking = {"prompt": "Who?", "answers": ["A cat.", "A boat."], "ranks": [1, 2]}
    path = lines(tmp_path / "rankings.jsonl", ranking, ranking | {"split": "heldout"})
    carry_out("sft", replace(sft_config, rankings=path, questions=None, text=None, steps=1), tmp_path / "out")
    assert "19 conversations" in capsys.readouterr().err  # 18 in the file, the best answer of the one for training


def test_without_questions_only_the_text_is_measured(sft_config: SFT, tmp_path: Path) -> None:
    folder = carry_out("sft", replace(sft_config, questions=None, text=None, steps=1), tmp_path / "out")
    assert set(folder.record["figures"]) == {"heldout_nats_rise"}


def test_a_wrong_question_is_refused_before_training(sft_config: SFT, tmp_path: Path) -> None:
    wrong = lines(tmp_path / "q.jsonl", {"messages": [{"role": "user", "content": "Who?"}]})
    with pytest.raises(InputError, match="answer"):
        carry_out("sft", replace(sft_config, questions=wrong), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"steps": 0}, "steps from 1 to"),
        ({"rows": 0}, "rows from 1 to"),
        ({"mix_rows": 0}, "mix_rows from 1 to"),
        ({"length": 97}, "length = 97"),
        ({"continuations": -1}, "continuations from 0 to"),
    ],
)
def test_sizes_that_make_no_sense(
    refused: Refused, sft_config: SFT, tmp_path: Path, setting: dict[str, int], says: str
) -> None:
    words = [
        word for name, value in ({"length": 32} | setting).items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations",
                      sft_config.conversations[0], *words, "--out", tmp_path / "out")  # fmt: skip
    assert says in message
    assert not (tmp_path / "out").exists()


def test_no_conversation_to_train_on(refused: Refused, sft_config: SFT, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path = lines(tmp_path / "talk.jsonl", {"messages": talk, "language": "zh"})
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations", path,
                      "--length", 32, "--out", tmp_path / "out")  # fmt: skip
    assert "conversations to train on" in message


@pytest.mark.parametrize(
    "content", ["", "not json\n", '{"messages": []}\n', '{"messages": [{"role": "wizard", "content": "x"}]}\n']
)
def test_conversations_that_are_none(refused: Refused, sft_config: SFT, tmp_path: Path, content: str) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text(content)
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations", path,
                      "--length", 32, "--out", tmp_path / "out")  # fmt: skip
    assert "talk.jsonl" in message
    assert not (tmp_path / "out").exists()


def test_tokens_of_another_tokenizer_are_refused(
    refused: Refused, sft_config: SFT, prepared: Path, tmp_path: Path
) -> None:
    other = carry_out("tokenize", Tokenize(text=prepared, vocab=290), tmp_path / "other").path
    message = refused("sft", "--base", sft_config.base, "--tokens", other, "--length", 32, "--conversations",
                      sft_config.conversations[0], "--out", tmp_path / "out")  # fmt: skip
    assert "own tokenizer" in message


def test_a_folder_without_a_model_is_no_base(
    refused: Refused, sft_config: SFT, tokenized: Path, tmp_path: Path
) -> None:
    message = refused("sft", "--base", tokenized, "--tokens", tokenized, "--conversations", sft_config.conversations[0],
                      "--out", tmp_path / "out")  # fmt: skip
    assert "a folder without one" in message
