"""What sft leaves, what it learns from, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from gptwright.alignment.demonstrations import Demonstration
from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.errors import InputError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.objectives.language import IGNORED
from gptwright.pipelines.load import load_decoder as load
from gptwright.recipes.stage import execute_stage
from gptwright.stages.sft import CHAT_DEFAULTS, SFT
from gptwright.stages.tokenize import Tokenize, open_tokens
from gptwright.text.pack import TokenFile
from gptwright.training.evaluation import read_evaluations

Refused = Callable[..., str]


def lines(path: Path, *objects: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in objects), encoding="utf-8")
    return path


def test_evaluation_measures_three_models_alike(tuned: Path, pretrained: Path, tokenized: Path) -> None:
    found = read_evaluations(tuned)
    assert set(found) == {"untrained", "pretrained", "sft"}
    for model in found.values():
        assert set(model.metrics) == {"heldout_nats", "heldout_bits_per_byte"}
        assert set(model.estimates) == {"known"} and model.estimates["known"].count == 3
    heldout = open_tokens(tokenized, "heldout")
    for name, folder in (("pretrained", pretrained), ("sft", tuned)):
        loss = text_loss(load(folder).network, heldout, length=32, windows=200)
        assert found[name].metrics["heldout_nats"] == loss.nats


def test_figures_follow_from_the_evaluation(tuned: Path) -> None:
    found, metrics = read_evaluations(tuned), finished_stage(tuned, "sft")["metrics"]
    before, after = (found[name].metrics["heldout_nats"] for name in ("pretrained", "sft"))
    assert metrics["heldout_nats_rise"] == after - before
    assert metrics["right known"] == found["sft"].estimates["known"].value


def test_metrics_names(tuned: Path) -> None:
    logged = read_metrics(tuned / "metrics.jsonl")
    assert [line["step"] for line in logged] == [1, 2, 3, 4]
    assert set(logged[0]) == {"step", "loss_nats", "answer_nats", "text_nats", "gradient_norm", "learning_rate"}
    assert all(line["answer_nats"] + line["text_nats"] == pytest.approx(line["loss_nats"]) for line in logged)


def test_the_folder_chats_with_its_defaults(tuned: Path) -> None:
    model = load(tuned)
    assert (model.sampling.temperature, model.sampling.max_tokens) == (
        CHAT_DEFAULTS.sampling.temperature,
        CHAT_DEFAULTS.sampling.max_tokens,
    )


def test_ranked_answers_of_the_training_side_are_learned_too(
    sft_config: SFT, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ranking = {"prompt": "Who?", "answers": ["A cat.", "A boat."], "ranks": [1, 2]}
    other = ranking | {"prompt": "What?", "split": "validation"}
    path = lines(tmp_path / "rankings.jsonl", ranking, other)
    execute_stage("sft", replace(sft_config, rankings=path, questions=None, text=None, steps=1), tmp_path / "out")
    told = capsys.readouterr().err
    assert "sft: 19 conversations to train on, 0.1 times each; 1 dropped (1 ranked, held out for reward" in told


def test_what_lines_hold_out_measures_and_is_not_learned(
    sft_config: SFT, pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(number: int, **more: Any) -> dict[str, Any]:
        asked = {"role": "user", "content": f"Say {number}."}
        return {"messages": [asked, {"role": "assistant", "content": f"The {number}."}], **more}

    sides = [*["train"] * 8, *["validation", "TEST"] * 2, None]
    path = lines(tmp_path / "t.jsonl", *(talk(i, split=side) for i, side in enumerate(sides)), talk(8, split="train"))
    config = replace(sft_config, conversations=(path,), questions=None, text=None, steps=1)
    folder = execute_stage("sft", config, tmp_path / "out")
    told = capsys.readouterr().err
    assert "sft: 9 conversations to train on, 0.2 times each, 4 held out; 1 dropped (1 whose prompt is held out" in told
    measured, base = read_evaluations(folder.path), load(pretrained)
    held = [Demonstration.of(talk(i)["messages"], base.tokenizer, base.context) for i in range(8, 12)]
    found = 0.0
    for shown in held:
        logits = base.logits(torch.tensor([shown.ids]))[0]
        targets = torch.tensor(shown.targets)
        found += float(cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"))
    tokens = sum(target != IGNORED for shown in held for target in shown.targets)
    assert measured["pretrained"].metrics["heldout_answer_nats"] == pytest.approx(found / tokens, rel=1e-4)
    assert folder.record["metrics"]["heldout_answer_nats"] == measured["sft"].metrics["heldout_answer_nats"]


@pytest.mark.parametrize("split", ["tset", 1, "train/test"])
def test_an_unknown_side_is_refused_with_its_line(
    refused: Refused, sft_config: SFT, tmp_path: Path, split: object
) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path = lines(tmp_path / "talk.jsonl", {"messages": talk}, {"messages": talk, "split": split})
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations", path,
                      "--sequence-length", 32, "--out", tmp_path / "out")  # fmt: skip
    assert "split in line 2 of" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([{"role": "user", "content": "a"}], "2 without an answer"),
        ([{"role": "user", "content": "a " * 200}, {"role": "assistant", "content": "b"}], "2 whose first answer"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b " * 200}], "2 whose first answer"),
    ],
)
def test_conversations_of_which_nothing_is_learned(
    refused: Refused, sft_config: SFT, tmp_path: Path, messages: list[dict[str, str]], says: str
) -> None:
    path = lines(tmp_path / "talk.jsonl", *[{"messages": messages}] * 2)
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations", path,
                      "--sequence-length", 32, "--out", tmp_path / "out")  # fmt: skip
    assert "conversations to train on" in message and says in message and "line 1 of" in message


def test_a_question_longer_than_the_context_is_passed_over_before_the_first_step(
    sft_config: SFT, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short, long = ({"prompt": text, "answer": "A cat.", "kind": None} for text in ("Who?", "who " * 200))
    config = replace(sft_config, questions=lines(tmp_path / "q.jsonl", short, long), text=None, steps=1)
    folder = execute_stage("sft", config, tmp_path / "out")
    assert "sft: 1 of 2 questions to measure with; 1 dropped" in capsys.readouterr().err
    assert read_evaluations(folder.path)["sft"].estimates[""].count == 1


def test_held_out_text_shorter_than_a_window_is_refused_before_the_first_step(
    sft_config: SFT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenFile, "__len__", lambda file: 33 if file.meta.documents > 4 else 32)
    with pytest.raises(InputError, match="at least 33 tokens of held-out text; got 32"):
        execute_stage("sft", sft_config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_questions_only_the_text_is_measured(sft_config: SFT, tmp_path: Path) -> None:
    folder = execute_stage("sft", replace(sft_config, questions=None, text=None, steps=1), tmp_path / "out")
    assert set(folder.record["metrics"]) == {"heldout_nats_rise"}


def test_a_wrong_question_is_refused_before_training(sft_config: SFT, tmp_path: Path) -> None:
    wrong = lines(tmp_path / "q.jsonl", {"messages": [{"role": "user", "content": "Who?"}]})
    with pytest.raises(InputError, match="answer"):
        execute_stage("sft", replace(sft_config, questions=wrong), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"steps": 0}, "steps from 1 to"),
        ({"batch_size": 0}, "batch_size from 1 to"),
        ({"ptx_batch_size": 0}, "ptx_batch_size from 1 to"),
        ({"sequence_length": 97}, "sequence_length = 97"),
        ({"continuations": -1}, "continuations from 0 to"),
    ],
)
def test_sizes_that_make_no_sense(
    refused: Refused, sft_config: SFT, tmp_path: Path, setting: dict[str, int], says: str
) -> None:
    words = [
        word
        for name, value in ({"sequence_length": 32} | setting).items()
        for word in (f"--{name.replace('_', '-')}", value)
    ]
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations",
                      sft_config.conversations[0], *words, "--out", tmp_path / "out")  # fmt: skip
    assert says in message
    assert not (tmp_path / "out").exists()


def test_no_conversation_to_train_on(refused: Refused, sft_config: SFT, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path = lines(tmp_path / "talk.jsonl", {"messages": talk, "language": "zh"})
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations", path,
                      "--sequence-length", 32, "--out", tmp_path / "out")  # fmt: skip
    assert "conversations to train on" in message


@pytest.mark.parametrize(
    "content", ["", "not json\n", '{"messages": []}\n', '{"messages": [{"role": "wizard", "content": "x"}]}\n']
)
def test_conversations_that_are_none(refused: Refused, sft_config: SFT, tmp_path: Path, content: str) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text(content)
    message = refused("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--conversations", path,
                      "--sequence-length", 32, "--out", tmp_path / "out")  # fmt: skip
    assert "talk.jsonl" in message
    assert not (tmp_path / "out").exists()


def test_tokens_of_another_tokenizer_are_refused(
    refused: Refused, sft_config: SFT, prepared: Path, tmp_path: Path
) -> None:
    other = execute_stage("tokenize", Tokenize(text=prepared, vocab=290), tmp_path / "other").path
    message = refused("sft", "--base", sft_config.base, "--tokens", other, "--sequence-length", 32, "--conversations",
                      sft_config.conversations[0], "--out", tmp_path / "out")  # fmt: skip
    assert "own tokenizer" in message


def test_a_folder_without_a_model_is_no_base(
    refused: Refused, sft_config: SFT, tokenized: Path, tmp_path: Path
) -> None:
    message = refused("sft", "--base", tokenized, "--tokens", tokenized, "--conversations", sft_config.conversations[0],
                      "--out", tmp_path / "out")  # fmt: skip
    assert "a folder without one" in message


@pytest.fixture(scope="session")
def epochs_config(sft_config: SFT, material: Path) -> SFT:
    """Nine steps an epoch."""
    talk = [json.loads(line) for line in (material / "talk.jsonl").read_text().splitlines()]
    more = [
        {"messages": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": f"The {n}."}]}
        for n in range(12)
    ]
    for number, line in enumerate(more):
        line["split"] = "train" if number % 3 else "heldout"  # type: ignore[assignment]
    path = lines(material / "epochs.jsonl", *talk[:10], *more)
    return replace(sft_config, conversations=(path,), text=None, questions=None, epochs=3, save_every=4, pack=True,
                   dropout=0.3, learning_rate=0.02, schedule="cosine")  # fmt: skip


def test_epochs_are_measured_and_the_best_is_exported(
    epochs_config: SFT, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = execute_stage("sft", epochs_config, tmp_path / "out")
    told = capsys.readouterr().err
    assert "18 conversations to train on, 3.0 times each, 4 held out" in told
    assert "the epoch is chosen by the loss of held-out answers" in told
    logged = {line["epoch"]: line for line in read_metrics(folder / "metrics.jsonl") if "epoch" in line}
    assert {epoch: line["step"] for epoch, line in logged.items()} == {1: 9, 2: 18, 3: 27}
    curve = {f"epoch {epoch:g}": line["heldout_answer_nats"] for epoch, line in logged.items()}
    found = read_evaluations(folder.path)
    assert found["epochs"].metrics == pytest.approx(curve, rel=1e-6)
    best = min(curve, key=lambda name: curve[name])
    assert f"sft: {best} of 3 is taken" in told and folder.record["metrics"]["epoch"] == int(best[-1])
    assert found["sft"].metrics["heldout_answer_nats"] == pytest.approx(curve[best], rel=0.02)


def test_a_reward_model_chooses_the_epoch(
    epochs_config: SFT, rewarded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(epochs_config, reward=rewarded, epochs=2, lora=2)
    folder = execute_stage("sft", config, tmp_path / "out")
    assert "by what the reward model says of answers to 4 held-out prompts" in capsys.readouterr().err
    logged = [line["heldout_reward"] for line in read_metrics(folder / "metrics.jsonl") if "epoch" in line]
    assert list(read_evaluations(folder.path)["epochs"].metrics.values()) == pytest.approx(logged, rel=1e-6)
    assert folder.record["metrics"]["epoch"] == 1 + logged.index(max(logged))
    assert (folder / "adapter").is_dir()


def test_where_nothing_is_held_out_a_tenth_is_for_the_choice(
    epochs_config: SFT, material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(epochs_config, conversations=(material / "talk.jsonl",), epochs=1)
    execute_stage("sft", config, tmp_path / "out")
    assert "12 conversations to train on, 1.0 times each, 6 held out" in capsys.readouterr().err


@pytest.mark.parametrize("at", [25, 40, 60])
def test_a_run_of_epochs_that_was_killed_leaves_the_same_weights(
    epochs_config: SFT, in_a_process: Callable[..., Any], tmp_path: Path, at: int
) -> None:
    config = replace(epochs_config, epochs=2, save_every=2)
    assert in_a_process("sft", config, tmp_path / "killed", at).code == 137
    assert in_a_process("sft", config, tmp_path / "killed").code == 0
    execute_stage("sft", config, tmp_path / "whole")
    for name in ("model/model.safetensors", "metrics.jsonl", "evaluation.json"):
        one, other = ((tmp_path / out / name).read_bytes() for out in ("killed", "whole"))
        if name == "metrics.jsonl":
            one, other = (read_metrics(tmp_path / out / name) for out in ("killed", "whole"))
        assert one == other, name


def test_packed_conversations_teach_the_same(epochs_config: SFT, tmp_path: Path) -> None:
    config = replace(epochs_config, epochs=0, dropout=0.0, dtype="float32", steps=6)
    logged = [
        [line["loss_nats"] for line in read_metrics(execute_stage("sft", c, tmp_path / name) / "metrics.jsonl")]
        for name, c in (("packed", config), ("padded", replace(config, pack=False)))
    ]
    assert logged[0] == pytest.approx(logged[1], rel=1e-5)


def test_muon_moves_the_blocks_matrices_and_adapters_refuse_it(
    sft_config: SFT, refused: Refused, tmp_path: Path
) -> None:
    out = execute_stage("sft", replace(sft_config, optimizer="muon", questions=None), tmp_path / "muon").path
    tensors = load_file(next((out / "checkpoints").glob("step-*")) / "state.safetensors")
    assert {name.split(".")[1] for name in tensors if name.startswith("momentum.")} == {"blocks"}
    words = ("sft", "--base", sft_config.base, "--tokens", sft_config.tokens, "--optimizer", "muon",
             "--conversations", *sft_config.conversations, "--out", tmp_path / "out")  # fmt: skip
    assert "optimizer adamw beside lora" in refused(*words, "--lora", 2)
    assert "either preset or optimizer; got both" in refused(*words, "--preset", "instructgpt")


def test_the_papers_preset(
    epochs_config: SFT, refused: Refused, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = replace(epochs_config, epochs=0, dropout=0.0, batch_size=20, learning_rate=3e-3, schedule="linear")
    found = replace(plain, preset="instructgpt").resolved
    assert (found.epochs, found.batch_size, found.dropout, found.schedule, found.warmup, found.learning_rate) == (
        16, 32, 0.2, "cosine", 0, 9.65e-6)  # fmt: skip
    assert replace(plain, preset="instructgpt", learning_rate=5e-4).resolved.learning_rate == 5e-4
    words = ("sft", "--base", plain.base, "--tokens", plain.tokens, "--conversations", *plain.conversations)
    rest = ("--sequence-length", 32, "--out", tmp_path / "out")
    assert "either preset or dropout; got both" in refused(*words, "--preset", "instructgpt", "--dropout", 0.1, *rest)
    assert "instructgpt" in refused(*words, "--preset", "instructgtp", *rest)
    assert "epochs beside reward" in refused(*words, "--reward", plain.base, *rest)
    execute_stage("sft", replace(plain, preset="instructgpt", batch_size=32, pack=True), tmp_path / "preset")
    assert "for 1,000,000,000 parameters and more" in capsys.readouterr().err
