"""What finetune leaves in every shape and family, that other tools compute the same, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers

import gptwright as package
from gptwright.configs.finetune import PRESETS, ROLES, Finetune
from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.models.catalogue import build, preset
from gptwright.models.heads import EncoderClassifier
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load, load_served
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.recipes.read import read_recipe
from gptwright.recipes.stage import execute_stage
from gptwright.training.evaluation import read_evaluations

Refused = Callable[..., str]
TEXTS = {
    "classification": ("the old miller",),
    "entailment": ("the old miller walked", "a cat"),
    "similarity": ("the old miller walked", "a cat"),
    "multiple-choice": ("the old miller", "walked to a river", "cat", "fell on roof"),
}


def test_evaluation_and_figures(finetuned: Path) -> None:
    found = read_evaluations(finetuned)
    assert set(found) == {"before", "after"}
    for evaluation in found.values():
        assert set(evaluation.metrics) == {"heldout_squared_error"}
        assert set(evaluation.estimates) == {"pearson", "spearman"} and evaluation.estimates["pearson"].count == 6
    metrics = finished_stage(finetuned, "finetune")["metrics"]
    assert (metrics.pop("train_examples"), metrics.pop("heldout_examples")) == (18, 6)
    after = found["after"]
    assert metrics == {**after.metrics, **{name: estimate.value for name, estimate in after.estimates.items()}}


def test_metrics_names(finetuned: Path) -> None:
    logged = read_metrics(finetuned / "metrics.jsonl")
    assert [line["step"] for line in logged] == [1, 2, 3, 4]
    assert set(logged[0]) == {"step", "loss_nats", "gradient_norm", "learning_rate"}
    rates = [line["learning_rate"] for line in logged]
    assert rates == pytest.approx([5e-4 * (4 - step) / 4 for step in range(4)]), "linear to 0"


@pytest.mark.parametrize("shape", ROLES)
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_every_shape_is_left_whole_and_is_theirs(
    pretrained: Path, encoder: Path, labelled: dict[str, Path], tmp_path: Path, shape: str, kind: str
) -> None:
    base = pretrained if kind == "decoder" else encoder
    config = Finetune(base=base, data=(labelled[shape],), shape=shape, steps=2, batch_size=4, threads=1)
    folder = execute_stage("finetune", config, tmp_path / "out").path
    model = package.load(folder)
    assert isinstance(model, SequenceScorer) and model.shape and model.shape.name == shape
    assert isinstance(model.network, EncoderClassifier) == (kind == "encoder")
    table = json.loads((folder / "model/config.json").read_text(encoding="utf-8"))
    assert table["gptwright"]["task_shape"]["name"] == shape
    tokens = [table["gptwright"]["task_shape"][part] for part in ("start", "delim", "extract")]
    assert tokens == (["<|start|>", "<|delim|>", "<|extract|>"] if kind == "decoder" else ["[CLS]", "[SEP]", "[SEP]"])
    (theirs,) = table["architectures"]
    oracle = getattr(transformers, theirs).from_pretrained(folder / "model").eval()
    rows = model.rows(*TEXTS[shape])
    assert len(rows) == {"similarity": 2 if kind == "decoder" else 1, "multiple-choice": 3}.get(shape, 1)
    for row in rows:
        more = {"token_type_ids": _segments(row, model)} if kind == "encoder" else {}
        ids = torch.tensor([row])
        if theirs.endswith("MultipleChoice"):
            ids, more = ids[None], {name: value[None] for name, value in more.items()}
        with torch.no_grad():
            expected = oracle(ids, **more).logits.view(1, -1)
        torch.testing.assert_close(model.logits([row]), expected, atol=1e-4, rtol=0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "model")
    assert tokenizer.convert_tokens_to_ids(tokens) == [rows[0][0], model.tokenizer.special_id(tokens[1]), rows[0][-1]]


def _segments(row: list[int], model: SequenceScorer) -> torch.Tensor:
    second = row.index(model.tokenizer.special_id("[SEP]")) + 1
    return torch.tensor([[0] * second + [1] * (len(row) - second)])


def test_a_classifier_is_served_with_measured_thresholds(pretrained: Path, tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": label, "split": split}
        for split in ("train", "heldout")
        for text, label in (("the river", ["water"]), ("a boat on the river", ["water", "thing"]), ("old cat", []))
    ]
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps(row | {"text": f"{row['split']} {row['text']}"}) for row in rows)
    )
    config = Finetune(base=pretrained, data=(tmp_path / "a.jsonl",), steps=3, neutral=("thing",), threads=1)
    out = execute_stage("finetune", config, tmp_path / "out").path
    table = json.loads((out / "model/config.json").read_text())
    assert table["problem_type"] == "multi_label_classification"
    told = json.loads((out / "model/moderation.json").read_text())
    assert told["neutral"] == ["thing"] and told["measured_on"] == "3 held-out examples"
    assert told["thresholds"].keys() == told["f1"].keys() == {"water"} and told["f1"]["water"] > 0.7
    model = load_served(out)
    assert isinstance(model, SequenceScorer) and model.moderation.thresholds == told["thresholds"]
    assert set(read_evaluations(out)["after"].estimates) == {"accuracy", "macro_f1", "micro_f1"}
    oracle = transformers.pipeline("text-classification", model=str(out / "model"), top_k=None)
    ids = torch.tensor(model.rows("the river"))
    with torch.no_grad():
        expected = oracle.model(ids).logits[0].sigmoid().tolist()
    assert list(model.classify("the river").values()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["gpt1-nano", "gpt2-nano", "gpt3-nano", "llama-nano", "modern-nano"])
def test_every_decoder_is_fine_tuned(pretrained: Path, labelled: dict[str, Path], tmp_path: Path, name: str) -> None:
    tokenizer = load(pretrained).tokenizer
    config = replace(preset(name), vocab=tokenizer.vocab, width=24, heads=6, layers=2, context=48)
    export(build(config, 1), tokenizer, tmp_path / "base")
    asked = Finetune(base=tmp_path / "base", data=(labelled["entailment"],), shape="entailment", epochs=1.0,
                     batch_size=5, threads=1, dtype="float32")  # fmt: skip
    folder = execute_stage("finetune", asked, tmp_path / "out")
    assert len(read_metrics(folder / "metrics.jsonl")) == 4, "18 examples, 5 a step"
    model = load(folder.path)
    assert isinstance(model, SequenceScorer) and model.network.config.vocab == tokenizer.vocab + 3
    assert sum(model.classify("the old miller", "a cat").values()) == pytest.approx(1.0)


def test_with_lora_the_attention_and_the_head_learn_and_nothing_else(
    pretrained: Path, labelled: dict[str, Path], tmp_path: Path
) -> None:
    config = Finetune(base=pretrained, data=(labelled["classification"],), steps=4, lora=2, learning_rate=0.03)
    out = execute_stage("finetune", config, tmp_path / "out").path
    before, after = load(pretrained).network.state_dict(), load(out).network.state_dict()
    for name, old in before.items():
        new = after[f"trunk.{name}"][: len(old)]  # an embedding has three rows more
        assert torch.equal(old, new) != ("attention" in name and name.endswith("weight"))
    assert (after["head.score.weight"] != 0).any()
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(
        pretrained / "model", dtype=torch.float32, num_labels=len(after["head.score.weight"]), pad_token_id=0
    )
    theirs.resize_token_embeddings(len(after["trunk.embed.weight"]), mean_resizing=False)
    scorer = load(out)
    assert isinstance(scorer, SequenceScorer)
    row = scorer.rows("the old miller")
    with torch.no_grad():
        found = peft.PeftModel.from_pretrained(theirs, out / "adapter").eval()(torch.tensor(row)).logits
    torch.testing.assert_close(found, scorer.logits(row), atol=1e-5, rtol=1e-5)
    with pytest.raises(ArtifactError, match="more tokens than the base"):
        load(pretrained, adapter=out)


def test_chatting_with_it_is_refused(refused: Refused, finetuned: Path) -> None:
    assert "a model that gives texts a number, which writes nothing" in refused("chat", finetuned)


def test_a_scorer_is_no_base(refused: Refused, finetuned: Path, labelled: dict[str, Path], tmp_path: Path) -> None:
    words = ("--base", finetuned, "--data", labelled["classification"], "--out", tmp_path / "out")
    assert "a decoder or an encoder" in refused("finetune", *words)


def test_what_is_wrong_with_the_data_is_said_before_anything_is_made(
    refused: Refused, pretrained: Path, labelled: dict[str, Path], tmp_path: Path
) -> None:
    words = ("finetune", "--base", pretrained, "--data", labelled["classification"], "--out", tmp_path / "out")
    assert "a label of the model in --neutral" in refused(*words, "--neutral", "fine")
    assert "one of the labels wet, dry" in refused(*words, "--labels", "wet", "dry")
    assert "a column 'premise'" in refused(*words, "--shape", "entailment")
    assert not (tmp_path / "out").exists()


def test_what_the_table_is_like_is_said(
    finetune_config: Finetune, labelled: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = labelled["classification"].read_text().splitlines()
    held = next(json.loads(line) for line in lines if '"heldout"' in line)
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([*lines, json.dumps(held | {"split": "train"}), json.dumps({"text": "x", "label": ""})]))
    config = replace(finetune_config, data=(path,), shape="classification", steps=9)
    execute_stage("finetune", config, tmp_path / "out")
    said = " ".join(capsys.readouterr().err.split())
    assert "18 examples to train on (dry" in said and "2.0 times each, 6 held out (dry" in said
    assert "2 dropped (1 without a label" in said and "1 whose group or texts are held out" in said
    assert "finetune: accuracy" in said and "finetune: f1" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shape": "regression"}, "a task shape"),
        ({"columns": ("lable=x",)}, "Did you mean 'label'"),
        ({"columns": ("label",)}, "ROLE=COLUMN"),
        ({"columns": ("premise=x",)}, "role of a column in classification"),
        ({"labels": ("a",)}, "two or more different labels"),
        ({"labels": ("a", "a")}, "two or more different labels"),
        ({"preset": "gpt9"}, "a preset"),
        ({"preset": "gpt1", "learning_rate": 1e-3}, "either preset or learning_rate"),
        ({"shape": "entailment", "neutral": ("no",)}, "--neutral with entailment"),
        ({"dropout": 1.0}, "dropout from 0 to below 1"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Finetune(base=Path("a"), data=(Path("b"),), **options)


def test_a_preset_is_the_papers() -> None:
    config = Finetune(base=Path("a"), data=(Path("b"),), preset="gpt1").resolved
    assert (config.learning_rate, config.batch_size, config.epochs, config.warmup) == (6.25e-5, 32, 3.0, 0.002)
    assert (config.lm_weight, config.dropout) == (0.5, 0.1)
    assert all(set(preset) == set(PRESETS["gpt1"]) for preset in PRESETS.values())


def test_it_stands_in_a_recipe(tmp_path: Path, pretrained: Path, labelled: dict[str, Path]) -> None:
    path = tmp_path / "r.toml"
    path.write_text(f'[finetune]\nbase = "{pretrained}"\ndata = ["{labelled["classification"]}"]\nepochs = 2\n')
    ((step, config),) = read_recipe(path).configs(tmp_path / "out")
    assert step.verb == "finetune" and isinstance(config, Finetune) and config.epochs == 2.0
