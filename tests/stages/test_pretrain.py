"""What pretrain leaves; how it stops, goes on, and notices damage; what it refuses."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import gptwright
from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.errors import InputError, Interrupted
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage, open_stage
from gptwright.foundations.shutdown import StopRequest
from gptwright.models.catalogue import count, preset
from gptwright.models.gpt2 import GPT2Config
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.load import load as load_any
from gptwright.pipelines.load import load_decoder as load
from gptwright.recipes.stage import execute_stage
from gptwright.stages import budgets
from gptwright.stages.pretrain import Pretrain
from gptwright.stages.samples import write_samples
from gptwright.stages.tokenize import Tokenize, open_tokens
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.schedules import cosine

WEIGHTS = "model/model.safetensors"
TINY = GPT2Config(width=16, heads=2, layers=2, context=96)
Refused = Callable[..., str]


def same_weights(a: Path, b: Path) -> bool:
    return (a / WEIGHTS).read_bytes() == (b / WEIGHTS).read_bytes()


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Asks for a stop after so many steps, as Ctrl-C does."""

    def at(steps: int) -> None:
        seen = iter(range(1, 10_000))

        def ask(self: StopRequest) -> bool:
            if not self.signal_number and next(seen) > steps:
                self.signal_number = 2
            return self.signal_number != 0

        monkeypatch.setattr(StopRequest, "__bool__", ask)

    return at


def test_the_figures_are_those_of_the_model_it_leaves(pretrained: Path, tokenized: Path) -> None:
    metrics = finished_stage(pretrained, "pretrain")["metrics"]
    model = load(pretrained)
    assert metrics["parameters"] == count(model.network)
    assert metrics["tokens"] == 8 * 2 * 32
    loss = text_loss(model.network, open_tokens(tokenized, "heldout"), length=32, windows=200)
    assert metrics["heldout_nats"] == pytest.approx(loss.nats, abs=1e-5)
    assert metrics["heldout_bits_per_byte"] == pytest.approx(loss.bits_per_byte, abs=1e-5)
    assert metrics["skipped_steps"] == 0


def test_the_models_vocabulary_is_the_tokenizers(pretrained: Path) -> None:
    model = load(pretrained)
    assert model.network.config.vocab == model.tokenizer.vocab == 300


def test_metrics_carry_their_units_one_line_a_step(pretrained: Path) -> None:
    lines = read_metrics(pretrained / "metrics.jsonl")
    steps = [line for line in lines if "loss_nats" in line]
    looks = [line for line in lines if "heldout_nats" in line]
    assert [line["step"] for line in steps] == list(range(1, 9))
    assert set(steps[0]) == {"step", "loss_nats", "gradient_norm", "learning_rate", "tokens_per_second"}
    assert [line["step"] for line in looks] == [4, 8]
    assert set(looks[0]) == {"step", "heldout_nats", "heldout_bits_per_byte"}


def test_samples(pretrained: Path) -> None:
    text = (pretrained / "samples.md").read_text(encoding="utf-8")
    assert text.startswith("# Samples\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Step 4", "## Step 8"]
    assert text.count("> It was a") == 2 == text.count("> The old man")


def test_the_first_words_may_be_shown_before(pretrain_config: Pretrain, tmp_path: Path) -> None:
    folder = execute_stage("pretrain", replace(pretrain_config, steps=4, first_eval=1), tmp_path / "out")
    assert re.findall(r"^## Step (\d+)$", (folder / "samples.md").read_text("utf-8"), re.MULTILINE) == ["1", "4"]


def test_a_sample_written_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    folder = open_stage(tmp_path / "x", "pretrain", Tokenize(text=tmp_path), {})
    for step in (4, 8, 4, 8):
        write_samples(folder, step, ["one", "two"])
    assert (folder / "samples.md").read_text("utf-8").count("## Step") == 2


def test_the_last_checkpoints_are_kept(pretrained: Path) -> None:
    assert sorted(p.name for p in (pretrained / "checkpoints").iterdir()) == ["step-000006", "step-000008"]


def test_stopped_and_gone_on_with_it_is_bit_equal(
    pretrain_config: Pretrain,
    pretrained: Path,
    tmp_path: Path,
    stop_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context():
        stop_after(3)
        with pytest.raises(Interrupted, match="saved at step"):
            execute_stage("pretrain", pretrain_config, tmp_path / "out")
    monkeypatch.undo()
    assert json.loads((tmp_path / "out/stage.json").read_text())["state"] == "unfinished"
    execute_stage("pretrain", pretrain_config, tmp_path / "out")
    assert same_weights(tmp_path / "out", pretrained)

    def logged(folder: Path) -> list[dict[str, Any]]:
        return [
            {k: v for k, v in line.items() if k != "tokens_per_second"}
            for line in read_metrics(folder / "metrics.jsonl")
        ]

    assert logged(tmp_path / "out") == logged(pretrained)


@pytest.fixture(scope="session")
def growing_config(pretrain_config: Pretrain) -> Pretrain:
    return replace(
        pretrain_config,
        optimizer="muon",
        batch_size=4,
        initial_batch_size=1,
        batch_ramp_tokens=10 * 32,
        schedule="cosine",
    )


@pytest.fixture(scope="session")
def grown(growing_config: Pretrain, run: Path) -> Path:
    return execute_stage("pretrain", growing_config, run / "pretrain-muon").path


def test_a_batch_that_grows_and_a_rate_over_tokens(grown: Path) -> None:
    steps = [line for line in read_metrics(grown / "metrics.jsonl") if "loss_nats" in line]
    batch_schedule = BatchSizeSchedule(4, 1, 10)
    rate = cosine(3e-3, batch_schedule.before(8) / 4, 2)
    assert [line["learning_rate"] for line in steps] == pytest.approx(
        [rate(batch_schedule.before(n) / 4) for n in range(8)], rel=1e-6
    )
    assert finished_stage(grown)["metrics"]["tokens"] == batch_schedule.before(8) * 32


def test_muon_stopped_and_gone_on_with_is_bit_equal(
    growing_config: Pretrain, grown: Path, tmp_path: Path, stop_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context():
        stop_after(5)
        with pytest.raises(Interrupted, match="saved at step"):
            execute_stage("pretrain", growing_config, tmp_path / "out")
    monkeypatch.undo()
    execute_stage("pretrain", growing_config, tmp_path / "out")
    assert same_weights(tmp_path / "out", grown)


def test_a_budget_is_resolved_once_and_kept_when_the_run_goes_on(
    pretrain_config: Pretrain, tmp_path: Path, stop_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = Pretrain(tokens=pretrain_config.tokens, model=TINY, sequence_length=32, threads=1, minutes=0.5)
    with monkeypatch.context():
        monkeypatch.setattr(budgets, "step_seconds", lambda *batch, **how: 1.0)
        stop_after(3)
        with pytest.raises(Interrupted, match=r"saved at step \d of 27"):
            execute_stage("pretrain", wish, tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(budgets, "step_seconds", lambda *batch, **how: pytest.fail("measured again"))
    folder = execute_stage("pretrain", wish, tmp_path / "out")
    plan = folder.record["plan"]
    assert (plan["steps"], plan["optimizer"], plan["model"]["width"]) == (27, "muon", 64)
    network = load(folder.path).network
    assert (network.config.width, network.config.heads, network.config.layers) == (64, 8, 2)
    assert folder.record["metrics"]["tokens"] == 27 * plan["batch_size"] * 32


@pytest.mark.parametrize(("wish", "tokens"), [({"flops": 2e9}, 2688), ({"total_tokens": 5000}, 5000)])
def test_other_budgets(pretrain_config: Pretrain, tmp_path: Path, wish: dict[str, Any], tokens: int) -> None:
    config = Pretrain(tokens=pretrain_config.tokens, model=TINY, sequence_length=32, threads=1, **wish)
    metrics = execute_stage("pretrain", config, tmp_path / "out").record["metrics"]
    assert metrics["tokens"] == pytest.approx(tokens, rel=0.1) and metrics["skipped_steps"] == 0


def test_a_rate_that_is_clearly_wrong_is_said_and_tried_all_the_same(
    pretrain_config: Pretrain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute_stage("pretrain", replace(pretrain_config, steps=2, learning_rate=0.9), tmp_path / "high")
    assert "rate of 0.9 is far too high for adamw" in capsys.readouterr().err
    execute_stage("pretrain", replace(pretrain_config, steps=2), tmp_path / "usual")
    assert "far too" not in capsys.readouterr().err


@pytest.mark.parametrize("stops", [(1,), (3, 1, 2), (5, 2), (8,)])
def test_a_mean_of_checkpoints_is_bit_equal_however_often_it_was_stopped(
    translate_config: Pretrain, translator: Path, tmp_path: Path, stop_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch, stops: tuple[int, ...],
) -> None:  # fmt: skip
    for steps in stops:
        with monkeypatch.context():
            stop_after(steps)
            with pytest.raises(Interrupted, match="saved at step"):
                execute_stage("pretrain", translate_config, tmp_path / "out")
        monkeypatch.undo()
    execute_stage("pretrain", translate_config, tmp_path / "out")
    assert same_weights(tmp_path / "out", translator)
    assert finished_stage(tmp_path / "out")["metrics"] == finished_stage(translator)["metrics"]


def test_the_model_is_the_mean_of_the_last_checkpoints(translator: Path) -> None:
    folders = sorted((translator / "checkpoints").iterdir())
    assert [folder.name for folder in folders] == ["step-000004", "step-000006", "step-000008", "step-000009"]
    masters = [load_file(folder / "state.safetensors") for folder in folders[1:]]
    network = load_any(translator).network
    for name, parameter in network.named_parameters():
        mean = torch.stack([tensors[f"master.{name}"].double() for tensors in masters]).mean(0)
        torch.testing.assert_close(parameter, mean.float(), atol=1e-7, rtol=1e-6)


def test_the_figures_of_a_translator(translator: Path) -> None:
    metrics = finished_stage(translator, "pretrain")["metrics"]
    assert metrics["heldout_pairs_translated"] == 6 and metrics["pairs_left_out"] == 0
    assert metrics["heldout_smoothed_nats"] > 0 and 0 <= metrics["heldout_bleu"] <= 100
    assert "tok:13a" in metrics["bleu_signature"]
    looks = [line for line in read_metrics(translator / "metrics.jsonl") if "heldout_bleu" in line]
    assert [line["step"] for line in looks] == [6]
    assert "(reference: " in (translator / "samples.md").read_text("utf-8")


def test_text_for_pairs_and_pairs_for_text_are_refused(
    refused: Refused, tokenized: Path, tokenized_pairs: Path, tmp_path: Path
) -> None:
    nano = ("--model", "transformer-nano")
    assert "--pairs" in refused("pretrain", "--tokens", tokenized, *nano, "--out", tmp_path / "a")
    assert "--text" in refused("pretrain", "--tokens", tokenized_pairs, "--out", tmp_path / "b")
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_without_sacrebleu_no_translator_is_begun(
    refused: Refused, tokenized_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    message = refused("pretrain", "--tokens", tokenized_pairs, "--model", "transformer-nano", "--out", tmp_path / "out")
    assert "pip install 'gptwright[translate]'" in message
    assert not (tmp_path / "out").exists()


def unfinished(pretrained: Path, out: Path, *kept: str) -> Path:
    """The stage as it was when the machine lost power after those checkpoints."""
    shutil.copytree(pretrained, out)
    record = json.loads((out / "stage.json").read_text())
    for name in ("outputs", "metrics", "ended"):
        record.pop(name)
    (out / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    shutil.rmtree(out / "model")
    for path in (out / "checkpoints").iterdir():
        if path.name not in kept:
            shutil.rmtree(path)
    return out


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


def test_a_damaged_checkpoint_is_passed_over_for_the_older_one(
    pretrain_config: Pretrain, pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = unfinished(pretrained, tmp_path / "out", "step-000006", "step-000008")
    flip(out / "checkpoints/step-000008/state.safetensors")
    execute_stage("pretrain", pretrain_config, out)
    said = capsys.readouterr().err
    assert "step-000008 is damaged and passed over" in said
    assert "pretrain goes on after step 6" in said
    assert same_weights(out, pretrained)


def test_the_only_checkpoint_damaged_is_an_error_that_names_it(
    refused: Refused, pretrained: Path, tokenized: Path, tmp_path: Path
) -> None:
    out = unfinished(pretrained, tmp_path / "out", "step-000006")
    flip(out / "checkpoints/step-000006/state.safetensors")
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    message = refused(
        "pretrain", "--tokens", tokenized, "--model.vocab", 50257, "--model.context", 96, "--model.width", 16,
        "--model.heads", 2, "--model.layers", 2, "--steps", 8, "--batch-size", 2, "--sequence-length", 32,
        "--warmup", 2, "--threads", 1, "--eval-every", 4, "--save-every", 2, "--out", out,
    )  # fmt: skip
    assert "step-000006/state.safetensors" in message and "damaged" in message
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--steps", 0), "steps from 1 to"),
        (("--steps", -3), "steps from 1 to"),
        (("--batch-size", 0), "batch_size from 1 to"),
        (("--learning-rate", 0), "learning_rate above 0"),
        (("--save-every", 0), "save_every from 1 to"),
        (("--sequence-length", 257), "sequence_length = 257"),
        (("--minutes", 1, "--flops", 1e12), "either minutes or flops"),
        (("--minutes", 1, "--batch-size", 4), "either minutes or batch_size"),
        (("--model", "bert-nano", "--total-tokens", 9), "a decoder where total_tokens decides"),
        (("--optimizer", "muoon"), "Did you mean 'muon'?"),
        (("--initial-batch-size", 17), "first step of 1 to 16 rows"),
        (("--model", "transformer-nano", "--initial-batch-size", 2), "initial_batch_size of 0"),
        (("--model", "bert-nano", "--document-mask"), "document_mask with a decoder"),
        (("--average-checkpoints", 0), "average_checkpoints from 1 to"),
        (("--average-checkpoints", 4), "at most the 3 checkpoints"),
        (("--model.heads", 5), "heads that divide the width 192"),
        (("--model.layers", 0), "layers from 1 to"),
    ],
)
def test_sizes_that_make_no_sense(
    refused: Refused, tokenized: Path, tmp_path: Path, words: tuple[object, ...], says: str
) -> None:
    assert says in refused("pretrain", "--tokens", tokenized, *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_corpus_smaller_than_one_context(refused: Refused, tokenized: Path, tmp_path: Path) -> None:
    message = refused(
        "pretrain",
        "--tokens",
        tokenized,
        "--model.context",
        20_000,
        "--sequence-length",
        20_000,
        "--batch-size",
        1,
        "--model.width",
        8,
        "--model.heads",
        1,
        "--out",
        tmp_path / "out",
    )
    assert "windows of 20000" in message and "shorter context" in message
    assert not (tmp_path / "out").exists()


def test_a_model_that_fits_no_machine(refused: Refused, tokenized: Path, tmp_path: Path) -> None:
    message = refused(
        "pretrain", "--tokens", tokenized, "--model.width", 2**27, "--model.heads", 1, "--out", tmp_path / "out"
    )
    assert "memory for the model" in message and "Lower" in message


def test_a_preset_then_overrides(
    gptwright: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Pretrain] = []
    monkeypatch.setattr("gptwright.recipes.stage.execute_stage", lambda verb, config, out, track: seen.append(config))
    for words in (("--model", "gpt2-124m"), ("--model=gpt2-124m",)):
        done = gptwright("pretrain", "--tokens", tmp_path, *words, "--model.layers", 4, "--out", tmp_path / "out")
        assert done.code == 0, done.err
        assert done.out == f"{tmp_path / 'out'}\n"
    assert seen[0] == seen[1] == Pretrain(tokens=tmp_path, model=replace(preset("gpt2-124m"), layers=4))


@pytest.mark.parametrize("name", ["gpt2-14m", ""])
def test_an_unknown_preset(gptwright: Callable[..., Any], tmp_path: Path, name: str) -> None:
    done = gptwright("pretrain", "--tokens", tmp_path, "--out", tmp_path / "out", "--model", *([name] if name else []))
    assert done.code == 2
    assert "gpt2-124m" in done.err and "Traceback" not in done.err


def test_weights_are_float32(pretrained: Path) -> None:
    assert {tensor.dtype for tensor in load_file(pretrained / WEIGHTS).values()} == {torch.float32}


FIGURES = {"heldout_masked_nats", "heldout_masked_accuracy", "heldout_next_sentence_accuracy"}


def test_an_encoder_learns_masked_words_and_next_sentences(encoder: Path) -> None:
    metrics = finished_stage(encoder, "pretrain")["metrics"]
    model = gptwright.load(encoder)
    assert isinstance(model, Encoder)
    assert metrics["parameters"] == count(model.network)
    assert metrics.keys() >= FIGURES
    lines = read_metrics(encoder / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss_nats" in line] == list(range(1, 13))
    looks = [line for line in lines if "heldout_masked_nats" in line]
    assert [line["step"] for line in looks] == [6, 12] and set(looks[0]) == {"step", *FIGURES}
    assert (encoder / "samples.md").read_text("utf-8").count(" → ") == 4
    assert "[MASK]" not in model.fill("the [MASK] miller walked")


def test_an_encoder_stopped_and_gone_on_with_is_bit_equal(
    encoder_config: Pretrain, encoder: Path, tmp_path: Path, stop_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context():
        stop_after(7)
        with pytest.raises(Interrupted, match="saved at step"):
            execute_stage("pretrain", encoder_config, tmp_path / "out")
    monkeypatch.undo()
    execute_stage("pretrain", encoder_config, tmp_path / "out")
    assert same_weights(tmp_path / "out", encoder)


def test_an_encoder_wants_tokens_of_its_kind(refused: Refused, tokenized: Path, tmp_path: Path) -> None:
    message = refused("pretrain", "--tokens", tokenized, "--model", "bert-nano", "--out", tmp_path / "out")
    assert "[MASK]" in message and "--kind wordpiece" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("generate", "The old"), ("chat",)])
def test_an_encoder_writes_nothing(refused: Refused, encoder: Path, words: tuple[str, ...]) -> None:
    assert "an encoder" in refused(words[0], encoder, *words[1:])


def test_held_out_text_shorter_than_a_window_is_refused_before_the_first_step(
    pretrain_config: Pretrain, tokenized: Path, tmp_path: Path
) -> None:
    few = len(open_tokens(tokenized, "heldout"))
    config = replace(
        pretrain_config,
        model=replace(pretrain_config.model, context=few),
        sequence_length=few,
        batch_size=1,
        steps=1,
        warmup=0,
    )
    with pytest.raises(InputError, match=rf"at least {few + 1:,} tokens of held-out text; got {few:,}"):
        execute_stage("pretrain", config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    execute_stage("pretrain", replace(config, sequence_length=few - 1), tmp_path / "other")


def test_a_small_context_has_room_for_samples(pretrain_config: Pretrain, tmp_path: Path) -> None:
    small = replace(pretrain_config.model, context=3)
    config = replace(pretrain_config, model=small, sequence_length=3, steps=1, warmup=0, eval_every=1, save_every=1)
    folder = execute_stage("pretrain", config, tmp_path / "out")
    assert "## Step 1" in (folder / "samples.md").read_text(encoding="utf-8")
