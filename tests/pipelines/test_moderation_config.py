"""Which labels flag a text: thresholds and neutral labels, as a model's folder says them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gptwright.foundations.atomic_io import verify_folder
from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier, RewardModel
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load, load_served
from gptwright.pipelines.model import Model
from gptwright.pipelines.moderation_config import FILE, UNSAID, ModerationConfig, read_moderation_config
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tokenizers.task_shapes import TaskShape
from gptwright.tokenizers.tokenizer import Tokenizer

LABELS = ("fine", "insult", "threat")


def test_a_label_is_flagged_from_its_threshold_on() -> None:
    config = ModerationConfig(thresholds={"insult": 0.25}, neutral=("fine",))
    assert config.thresholds_of(LABELS) == {"insult": 0.25, "threat": 0.5}
    assert config.flagged({"fine": 0.7, "insult": 0.25, "threat": 0.05}) == {
        "fine": False, "insult": True, "threat": False,
    }  # fmt: skip
    assert UNSAID.flagged({"fine": 0.5, "insult": 0.4999, "threat": 0.0001}) == {
        "fine": True, "insult": False, "threat": False,
    }  # fmt: skip
    assert ModerationConfig(thresholds={"threat": 0.0}).flagged({"threat": 0.0}) == {"threat": True}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"thresholds": {"insults": 0.5}}, "needed a label of the model in .*; got 'insults'.*\n.*'insult'"),
        ({"neutral": ["harmless"]}, "got 'harmless'"),
        ({"thresholds": {"insult": 1.01}}, "a probability from 0 to 1 for thresholds.insult in .*; got 1.01"),
        ({"thresholds": {"insult": -0.1}}, "got -0.1"),
        ({"thresholds": {"insult": "0.5"}}, "a number for .*thresholds.insult; got '0.5'"),
        ({"thresholds": {"insult": True}}, "a number for .*thresholds.insult; got True"),
        ({"thresholds": {"fine": 0.5}, "neutral": ["fine"]}, "'fine' under thresholds or under neutral .*; got both"),
        ({"threshold": {"insult": 0.5}}, "got 'threshold'.*\n.*'thresholds'"),
        ({"neutral": "fine"}, "a list for .*neutral"),
        (["fine"], r"got \['fine'\]"),
    ],
)
def test_what_does_not_fit_is_named(written: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(written))
    with pytest.raises(ConfigError, match=said):
        read_moderation_config(tmp_path, LABELS)


def test_a_threshold_that_is_no_number_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"thresholds": {"insult": NaN}}')
    with pytest.raises(ConfigError, match="from 0 to 1"):
        read_moderation_config(tmp_path, LABELS)


def test_a_folder_keeps_what_it_says_and_may_be_told_otherwise(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    folder, config = tmp_path / "model", ModerationConfig(thresholds={"threat": 0.1}, neutral=("fine",))
    export(Classifier(network, LABELS), tokenizer, folder)
    found = load(folder)
    assert isinstance(found, SequenceScorer) and found.moderation == UNSAID
    SequenceScorer(Classifier(network, LABELS), tokenizer, "judge", config).save(folder)
    found = load(folder)
    assert isinstance(found, SequenceScorer) and found.moderation == config
    (folder / FILE).write_text('{"neutral": ["threat"]}')
    verify_folder(folder)
    found = load(folder)
    assert isinstance(found, SequenceScorer) and found.moderation == ModerationConfig(neutral=("threat",))
    (folder / FILE).write_text('{"neutral": ["wine"]}')
    with pytest.raises(ConfigError, match="Did you mean 'fine'"):
        load(folder)


def test_classifiers_and_decoders_are_served_and_nothing_else(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    for name, model in (
        ("classifier", Classifier(network, LABELS)), ("reward", RewardModel(network)), ("decoder", network),
    ):  # fmt: skip
        export(model, tokenizer, tmp_path / name)
    assert isinstance(load_served(tmp_path / "classifier"), SequenceScorer)
    assert isinstance(load_served(tmp_path / "decoder"), Model)
    with pytest.raises(ArtifactError, match=r"a decoder or a classifier in .*; got a reward model"):
        load_served(tmp_path / "reward")


@pytest.mark.parametrize(("shape", "reads"), [("entailment", "a premise"), ("similarity", "two texts"),
                                              ("multiple-choice", "two choices or more")])  # fmt: skip
def test_what_does_not_read_one_text_is_not_served(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path, shape: str, reads: str
) -> None:
    labels = ("choice",) if shape == "multiple-choice" else LABELS
    export(Classifier(network, labels, TaskShape(name=shape)), tokenizer, tmp_path / "model")
    with pytest.raises(
        ArtifactError, match=rf"a classifier of one text in .*a model of {shape}, which reads .*{reads}"
    ):
        load_served(tmp_path / "model")


def test_labels_that_are_true_by_themselves_are_served(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = Classifier(network, LABELS, several=True)
    torch.nn.init.normal_(model.head.score.weight, 0.0, 0.1)  # pyright: ignore
    export(model, tokenizer, tmp_path / "model")
    served = load_served(tmp_path / "model")
    assert isinstance(served, SequenceScorer) and "each true or not" in served.kind
    (logits,) = served.logits(served.rows("the cat"))
    assert served.classify("the cat") == pytest.approx(dict(zip(LABELS, logits.sigmoid().tolist(), strict=True)))
