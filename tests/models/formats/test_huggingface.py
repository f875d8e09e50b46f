"""Transformers is the oracle: what we write it reads, what it writes we read, and both compute the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from gptwright.foundations.atomic_io import new_folder, read_json
from gptwright.foundations.errors import ArtifactError, GptwrightError
from gptwright.models.catalogue import count
from gptwright.models.formats.huggingface import read_model, write_model
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier, EncoderClassifier, RewardModel
from gptwright.tokenizers.task_shapes import TaskShape

IDS = torch.arange(48).reshape(2, 24) * 7 % 280


@pytest.fixture
def folder(network: GPT2, tmp_path: Path) -> Path:
    """A model folder with its manifest."""
    with new_folder(tmp_path / "model") as unfinished:
        write_model(network, unfinished, {"eos_token_id": 2, "pad_token_id": 1})
    return tmp_path / "model"


@pytest.fixture
def theirs(tmp_path: Path) -> Any:
    """A random GPT-2 made by transformers, and the folder it wrote."""
    sizes = {"vocab_size": 60, "n_positions": 32, "n_embd": 24, "n_head": 4, "n_layer": 3}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    model.save_pretrained(tmp_path / "theirs")
    return model


def test_transformers_computes_the_same_from_our_folder(network: GPT2, folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    assert model.config.model_type == "gpt2"
    assert model.num_parameters() == count(network)
    assert (model.config.eos_token_id, model.config.pad_token_id) == (2, 1)
    with torch.no_grad():
        assert (model(IDS).logits - network(IDS)).abs().max() <= 1e-4


def test_a_trunk_saved_without_the_language_head_is_read(theirs: Any, tmp_path: Path) -> None:
    theirs.transformer.save_pretrained(tmp_path / "trunk")
    with torch.no_grad():
        assert (theirs(IDS % 60).logits - read_model(tmp_path / "trunk")(IDS % 60)).abs().max() <= 1e-4


def test_weights_in_several_files_are_read(theirs: Any, tmp_path: Path) -> None:
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    with torch.no_grad():
        assert (theirs(IDS % 60).logits - read_model(tmp_path / "parts")(IDS % 60)).abs().max() <= 1e-4


def test_what_was_written_is_read_back_equal(network: GPT2, folder: Path) -> None:
    model = read_model(folder)
    assert model.config == network.config
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def test_a_reward_model_is_their_sequence_classifier(network: GPT2, tmp_path: Path) -> None:
    ours = RewardModel(network)
    nn.init.normal_(ours.head.score.weight)
    write_model(ours, tmp_path, {"eos_token_id": 2, "pad_token_id": 1})
    oracle = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    again = read_model(tmp_path)
    assert isinstance(again, RewardModel)
    for row in IDS:
        with torch.no_grad():
            expected = oracle(row[None]).logits[:, 0]
            for model in (ours, again):
                torch.testing.assert_close(model(row[None], torch.tensor([23])), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt1"])
def test_a_classifier_is_theirs_both_ways(kind: str, tmp_path: Path, made: Callable[..., Any]) -> None:
    config = made(kind, tmp_path / "model").config
    config.num_labels, config.id2label, config.label2id = 3, {0: "no", 1: "maybe", 2: "yes"}, {}
    theirs = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0.0, 0.25)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = read_model(tmp_path / "theirs")
    assert isinstance(ours, Classifier) and ours.labels == ("no", "maybe", "yes")
    (tmp_path / "back").mkdir()
    write_model(ours, tmp_path / "back", {"eos_token_id": 1, "pad_token_id": 0})
    back = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "back").eval()
    assert back.config.id2label == {0: "no", 1: "maybe", 2: "yes"} and back.config.label2id["yes"] == 2
    row = IDS[:1] % 58 + 2
    with torch.no_grad():
        expected = theirs(row).logits
        for logits in (ours(row, torch.tensor([row.shape[1] - 1])), back(row).logits):
            torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("theirs", ["BertForSequenceClassification", "BertForMultipleChoice"])
def test_an_encoder_under_a_head_is_theirs_both_ways(theirs: str, tmp_path: Path, made: Callable[..., Any]) -> None:
    config = made("bert", tmp_path / "model").config
    config.num_labels = 3
    oracle = getattr(transformers, theirs)(config).eval()
    with torch.no_grad():
        for parameter in oracle.parameters():
            parameter.normal_(0.0, 0.25)
    oracle.save_pretrained(tmp_path / "theirs")
    ours = read_model(tmp_path / "theirs")
    assert isinstance(ours, EncoderClassifier)
    chooses = theirs == "BertForMultipleChoice"
    assert ours.labels == (("choice",) if chooses else ("LABEL_0", "LABEL_1", "LABEL_2"))
    ours.shape = TaskShape.of_encoder("multiple-choice" if chooses else "entailment")
    (tmp_path / "back").mkdir()
    write_model(ours, tmp_path / "back", {"pad_token_id": 0})
    back = getattr(transformers, theirs).from_pretrained(tmp_path / "back").eval()
    again = read_model(tmp_path / "back")
    assert isinstance(again, EncoderClassifier) and again.shape == ours.shape
    row, segments = IDS[:2] % 58 + 2, (torch.arange(IDS.shape[1]) > 9).long().expand(2, -1)
    last = torch.full((2,), row.shape[1] - 1)
    with torch.no_grad():
        for model in (oracle, back):
            shown = (row[None], segments[None]) if chooses else (row, segments)
            expected = model(shown[0], token_type_ids=shown[1]).logits.view(2, -1)
            for mine in (ours, again):
                torch.testing.assert_close(mine(row, last, segments), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("said", [3, {"task_shape": "similarity"}, {}])
def test_a_task_shape_that_is_none_is_refused(network: GPT2, tmp_path: Path, said: Any) -> None:
    write_model(Classifier(network, ("a", "b"), TaskShape(name="entailment")), tmp_path, {})
    change_config(gptwright=said)(tmp_path)
    with pytest.raises(ArtifactError, match="a task_shape under 'gptwright'"):
        read_model(tmp_path)


def test_a_classifier_of_several_labels_at_once_is_refused(network: GPT2, tmp_path: Path) -> None:
    write_model(Classifier(network, ["no", "yes"]), tmp_path, {})
    change_config(problem_type="single_label_classification")(tmp_path)
    assert read_model(tmp_path)
    change_config(problem_type="multi_label_classification")(tmp_path)
    several: Any = read_model(tmp_path)
    logits = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(several.probabilities(logits), logits.sigmoid())
    write_model(several, tmp_path / "again", {})
    assert read_json(tmp_path / "again/config.json")["problem_type"] == "multi_label_classification"


def test_one_label_that_is_true_or_not_is_no_reward(network: GPT2, tmp_path: Path) -> None:
    write_model(Classifier(network, ["toxic"], several=True), tmp_path, {})
    again: Any = read_model(tmp_path)
    assert isinstance(again, Classifier) and again.several


@pytest.mark.parametrize("named", [{"0": "a", "2": "b"}, {"0": "a", "1": "a"}, {}, ["a", "b"], {"0": 1, "1": "b"}])
def test_labels_that_name_no_classes_are_refused(network: GPT2, tmp_path: Path, named: Any) -> None:
    write_model(Classifier(network, ("a", "b")), tmp_path, {})
    change_config(id2label=named)(tmp_path)
    with pytest.raises(ArtifactError, match="as 'id2label'"):
        read_model(tmp_path)


def change_config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))

    return change


def change_tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return apply


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change_tensors(lambda t: t.pop("transformer.h.1.mlp.c_fc.bias")), "the tensor transformer.h.1.mlp.c_fc.bias"),
        (
            change_tensors(lambda t: t.update({"transformer.wpe.weight": torch.zeros(3, 32)})),
            "shape (64, 32); got (3, 32)",
        ),
        (change_config(model_type="gtp2"), "Did you mean 'gpt2'?"),
        (change_config(model_type="rwkv"), "Known: "),
        (change_config(model_type=None), "got ''"),
        (change_config(n_head=None), "'n_head'"),
        (change_config(n_layer=3), "the tensor transformer.h.2."),
        (change_config(activation_function="relu"), "activation_function"),
        (change_config(tie_word_embeddings=False), "tie_word_embeddings"),
        (change_config(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx"),
        (change_config(n_head=5), "heads that divide"),
        (change_config(n_embd="wide"), "n_embd"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "JSON"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors; got nothing there"),
        (cut_short, "a damaged file"),
        (pickle_only, "is a pickle"),
    ],
)
def test_what_cannot_be_used_is_named(folder: Path, damage: Callable[[Path], None], said: str) -> None:
    (folder / "manifest.json").unlink()
    damage(folder)
    with pytest.raises(GptwrightError) as error:
        read_model(folder)
    assert said in str(error.value)


def test_dropout_is_no_other_architecture(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    change_config(attn_pdrop=0.1, resid_pdrop=0.1)(folder)
    read_model(folder)


def test_one_flipped_bit_is_noticed(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="damaged or changed"):
        read_model(folder)


def refused(folder: Path) -> str:
    """The manifest would notice first, so it is taken away."""
    (folder / "manifest.json").unlink()
    with pytest.raises(GptwrightError) as error:
        read_model(folder)
    return str(error.value)


def test_sizes_that_no_memory_holds_are_met_by_the_shapes(folder: Path) -> None:
    """The model is built without memory for its numbers, so a width of a hundred million is only a wrong shape."""
    table = json.loads((folder / "config.json").read_text()) | {"n_embd": 10**8, "n_head": 1}
    (folder / "config.json").write_text(json.dumps(table))
    assert "of shape (290, 100000000); got (290, 32)" in refused(folder)


def test_more_layers_than_a_file_can_hold(folder: Path) -> None:
    table = json.loads((folder / "config.json").read_text()) | {"n_layer": 10**9}
    (folder / "config.json").write_text(json.dumps(table))
    assert "layers from 1 to 1,000" in refused(folder)


def test_a_tensor_that_no_gpt2_has(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"transformer.h.0.attn.gate.weight": torch.zeros(1)}, folder / "model.safetensors")
    assert "'transformer.h.0.attn.gate.weight' too" in refused(folder)


def test_a_field_that_no_gpt2_is_known_to_have(folder: Path) -> None:
    table = json.loads((folder / "config.json").read_text()) | {"logit_softcapping": 30.0}
    (folder / "config.json").write_text(json.dumps(table))
    assert "'logit_softcapping' = 30.0" in refused(folder)


def test_half_precision_weights_are_read(folder: Path) -> None:
    exact: Any = read_model(folder)
    (folder / "manifest.json").unlink()
    write_model(exact, folder, {}, dtype=torch.bfloat16)
    found: Any = read_model(folder)
    assert found.embed.weight.dtype == torch.float32
    torch.testing.assert_close(found.embed.weight, exact.embed.weight, atol=1e-3, rtol=1e-2)
