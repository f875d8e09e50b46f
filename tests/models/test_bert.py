"""The laws of an encoder; transformers computes the same with random weights, layer by layer and at both heads."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

from gptwright.foundations.errors import ArtifactError
from gptwright.models.bert import BERT, FAMILY, BERTConfig
from gptwright.models.formats.huggingface import read_model, write_model
from gptwright.models.formats.mappings.bert import MAPPING
from gptwright.training.optimizer import cast_linears

CONFIG = BERTConfig(vocab=60, context=32, width=24, heads=4, layers=3)
IDS = torch.arange(48).reshape(2, 24) * 7 % 60
SEGMENTS = torch.tensor([[0] * 10 + [1] * 14, [0] * 3 + [1] * 21])
LENGTHS = torch.tensor([24, 15])


def large_weights(model: Any) -> Any:
    """Weights, biases and gains that make every part show."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    return model.eval()


@pytest.fixture
def model() -> BERT:
    return large_weights(BERT(CONFIG))


# Laws


def test_the_future_changes_the_past(model: BERT) -> None:
    other = IDS.clone()
    other[:, 20:] = (other[:, 20:] + 1) % 60
    one, two = model(IDS), model(other)
    assert ((one[:, :20] - two[:, :20]).abs().amax(-1) > 1e-4).all()


@pytest.mark.parametrize("length", [1, 7, 15, 32])
def test_padding_changes_nothing(model: BERT, length: int) -> None:
    ids = torch.randint(60, (2, 32))
    padded = model.encode(ids, lengths=torch.tensor([length, 32]))
    alone = model.encode(ids[:1, :length])
    torch.testing.assert_close(padded[:1, :length], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.next_logits(padded)[:1], model.next_logits(alone), atol=1e-5, rtol=1e-5)
    ids[0, length:] = 3
    assert torch.equal(model.encode(ids, lengths=torch.tensor([length, 32]))[0, :length], padded[0, :length])


def test_rows_do_not_see_each_other(model: BERT) -> None:
    together = model.encode(IDS, SEGMENTS, LENGTHS)
    alone = model.encode(IDS[1:], SEGMENTS[1:], LENGTHS[1:])
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


def test_position_matters(model: BERT) -> None:
    one, two = model(torch.tensor([[1, 2, 3, 3]])), model(torch.tensor([[2, 1, 3, 3]]))
    assert not torch.allclose(one[0, 3], two[0, 3], atol=1e-3)
    assert not torch.allclose(one[0, 2], one[0, 3], atol=1e-3)


def test_segment_matters_and_is_the_first_by_default(model: BERT) -> None:
    plain = model.encode(IDS)
    assert torch.equal(plain, model.encode(IDS, torch.zeros_like(IDS)))
    assert not torch.allclose(plain, model.encode(IDS, SEGMENTS), atol=1e-3)


def test_a_gradient_reaches_every_parameter(model: BERT) -> None:
    states = model.encode(torch.arange(64).reshape(2, 32) % 60, torch.arange(2).repeat(2, 16), torch.tensor([32, 31]))
    (model.masked_logits(states).logsumexp(-1).square().sum() + model.next_logits(states).square().sum()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_a_fresh_model_knows_nothing(model: BERT) -> None:
    model.initialise(1)
    states = model.encode(torch.randint(60, (4, 32)))
    nats = -model.masked_logits(states).log_softmax(-1).mean().detach()
    assert abs(float(nats) - 4.094) < 0.05, "ln 60"
    nats = -model.next_logits(states).log_softmax(-1).mean().detach()
    assert abs(float(nats) - 0.693) < 0.01, "ln 2"


def test_initial_weights_end_at_two_deviations() -> None:
    model = BERT(BERTConfig(vocab=3000, context=64, width=64, heads=2, layers=2))
    model.initialise(3)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            assert parameter.eq(1.0 if name.endswith("weight") else 0.0).all(), name
        else:
            assert 0.03 < parameter.detach().abs().max() <= 0.04, name
            assert abs(float(parameter.detach().std()) - 0.8796 * 0.02) < 0.004, name


def test_more_tokens_than_the_context_are_refused(model: BERT) -> None:
    with pytest.raises(IndexError, match="33 tokens in a context of 32"):
        model.encode(torch.zeros(1, 33, dtype=torch.long))


def test_the_masked_logits_are_the_embedding_and_a_bias(model: BERT) -> None:
    states = model.encode(IDS)
    by_hand = F.linear(model.masked_states(states), model.embed.weight, model.output_bias)
    torch.testing.assert_close(model(IDS), by_hand)


def test_matrices_in_bfloat16_stay_near_float32() -> None:
    model = BERT(BERTConfig(vocab=3000, context=64, width=64, heads=2, layers=8))
    model.initialise(3)
    ids, lengths = torch.randint(3000, (2, 40)), torch.tensor([40, 25])
    exact = model.encode(ids, lengths=lengths)
    expected = model.masked_logits(exact), model.next_logits(exact)
    cast_linears(model, torch.bfloat16)
    states = model.encode(ids, lengths=lengths)
    assert states.dtype == torch.bfloat16 and model.embed.weight.dtype == torch.float32
    for found, exactly in zip((model.masked_logits(states), model.next_logits(states)), expected, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, exactly, atol=0.03, rtol=0.03)


def test_every_tensor_has_one_name_in_their_folders(model: BERT) -> None:
    names = [theirs for name in model.state_dict() for theirs in MAPPING.theirs(name)]
    assert len(set(names)) == len(names)


# Oracles


def theirs(kind: str) -> Any:
    """A random model of theirs, such as "BertModel", or "BertModel without a pooler"."""
    sizes = {"vocab_size": 60, "max_position_embeddings": 32, "hidden_size": 24, "intermediate_size": 96,
             "num_attention_heads": 4, "num_hidden_layers": 3}  # fmt: skip
    name, *without = kind.split(" without ")
    more = {"add_pooling_layer": False} if without else {}
    return large_weights(getattr(transformers, name)(transformers.BertConfig(**sizes), **more))


@pytest.fixture
def oracle(tmp_path: Path) -> Any:
    """A random model of theirs; its folder is `theirs`."""
    found = theirs("BertForPreTraining")
    found.save_pretrained(tmp_path / "theirs")
    return found


def asked(oracle: Any, **more: Any) -> Any:
    mask = torch.arange(24) < LENGTHS[:, None]
    with torch.no_grad():
        return oracle(IDS, token_type_ids=SEGMENTS, attention_mask=mask.long(), **more)


def test_both_heads_compute_the_same(oracle: Any, tmp_path: Path) -> None:
    model: Any = read_model(tmp_path / "theirs")
    with torch.no_grad():
        states = model.encode(IDS, SEGMENTS, LENGTHS)
        expected = asked(oracle)
        real = torch.arange(24) < LENGTHS[:, None]
        assert (expected.prediction_logits - model.masked_logits(states))[real].abs().max() <= 1e-4
        assert (expected.seq_relationship_logits - model.next_logits(states)).abs().max() <= 1e-4
        assert (oracle(IDS).prediction_logits - model(IDS)).abs().max() <= 1e-4


def test_every_layer_computes_the_same(oracle: Any, tmp_path: Path) -> None:
    model: Any = read_model(tmp_path / "theirs")
    states: list[torch.Tensor] = []
    model.norm.register_forward_hook(lambda _, __, output: states.append(output))
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, output: states.append(output))
    with torch.no_grad():
        model.encode(IDS, SEGMENTS, LENGTHS)
    expected = asked(oracle, output_hidden_states=True).hidden_states
    assert len(states) == len(expected) == 4
    for row, length in enumerate(LENGTHS):
        for ours, state in zip(states, expected, strict=True):
            torch.testing.assert_close(ours[row, :length], state[row, :length], atol=1e-4, rtol=1e-4)


def test_they_compute_the_same_from_our_folder(model: BERT, tmp_path: Path) -> None:
    write_model(model, tmp_path, {"pad_token_id": 0})
    again = transformers.BertForPreTraining.from_pretrained(tmp_path).eval()
    found = asked(again)
    with torch.no_grad():
        states = model.encode(IDS, SEGMENTS, LENGTHS)
        real = torch.arange(24) < LENGTHS[:, None]
        assert (found.prediction_logits - model.masked_logits(states))[real].abs().max() <= 1e-4
        assert (found.seq_relationship_logits - model.next_logits(states)).abs().max() <= 1e-4


def test_what_was_written_is_read_back_equal(model: BERT, tmp_path: Path) -> None:
    write_model(model, tmp_path, {})
    again = read_model(tmp_path)
    assert again.config == model.config
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


PARTS = {
    "BertForPreTraining": {"pooler", "masked", "next"},
    "BertForMaskedLM": {"masked"},
    "BertForNextSentencePrediction": {"pooler", "next"},
    "BertModel": {"pooler"},
    "BertModel without a pooler": set[str](),
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_folder_without_some_parts_gives_a_model_without_them(kind: str, tmp_path: Path) -> None:
    whole = theirs(kind)
    whole.save_pretrained(tmp_path / "theirs")
    model: Any = read_model(tmp_path / "theirs")
    trunk = whole if kind.startswith("BertModel") else whole.bert
    mask = (torch.arange(24) < LENGTHS[:, None]).long()
    with torch.no_grad():
        expected = trunk(IDS, token_type_ids=SEGMENTS, attention_mask=mask)
        states = model.encode(IDS, SEGMENTS, LENGTHS)
        torch.testing.assert_close(states[0], expected.last_hidden_state[0], atol=1e-4, rtol=1e-4)
        if model.pooler is not None:
            torch.testing.assert_close(model.pooled(states), expected.pooler_output, atol=1e-4, rtol=1e-4)
        if model.masked is not None:
            logits = next(iter(asked(whole).values()))
            torch.testing.assert_close(model.masked_logits(states)[0], logits[0], atol=1e-4, rtol=1e-4)
    assert {part for part in ("pooler", "masked", "next") if getattr(model, part) is not None} == PARTS[kind]


@pytest.mark.parametrize("kind", PARTS)
def test_their_tensors_come_back_byte_for_byte(kind: str, tmp_path: Path) -> None:
    theirs(kind).save_pretrained(tmp_path / "theirs")
    (tmp_path / "back").mkdir()
    write_model(read_model(tmp_path / "theirs"), tmp_path / "back", {})
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "back")]
    assert configs[0]["architectures"] == configs[1]["architectures"] == [kind.split()[0]]


def test_what_a_model_lacks_is_named_when_it_is_needed(tmp_path: Path) -> None:
    theirs("BertModel without a pooler").save_pretrained(tmp_path)
    model: Any = read_model(tmp_path)
    states = model.encode(IDS)
    for ask, name in ((model, "masked-language head"), (model.pooled, "pooler"), (model.next_logits, "next-sentence")):
        with pytest.raises(ArtifactError, match=f"needed a {name}.*without one"):
            ask(IDS if ask is model else states)


def test_names_of_the_first_releases_are_read(oracle: Any, tmp_path: Path) -> None:
    tensors = load_file(tmp_path / "theirs/model.safetensors")
    turned = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    early: dict[str, torch.Tensor] = {"bert.embeddings.position_ids": torch.arange(32)[None]}
    for name, tensor in tensors.items():
        for new, old in turned.items():
            name = name.replace(new, old)
        early[name] = tensor
    save_file(early, tmp_path / "theirs/model.safetensors")
    with torch.no_grad():
        assert (read_model(tmp_path / "theirs")(IDS) - oracle(IDS).prediction_logits).abs().max() <= 1e-4


def test_a_part_that_came_half_is_an_error(oracle: Any, tmp_path: Path) -> None:
    path = tmp_path / "theirs/model.safetensors"
    tensors = load_file(path)
    tensors.pop("cls.predictions.transform.dense.bias")
    save_file(tensors, path)
    with pytest.raises(ArtifactError, match=r"the tensor cls\.predictions\.transform\.dense\.bias"):
        read_model(tmp_path / "theirs")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_act": "gelu_new"}, "hidden_act"),
        ({"is_decoder": True}, "is_decoder"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"intermediate_size": 100}, "intermediate_size 96, 4 × hidden_size"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps"),
        ({"type_vocab_size": 1}, "type_vocab_size"),
    ],
)
def test_what_is_not_computed_here_is_refused(oracle: Any, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "theirs/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match=said):
        read_model(tmp_path / "theirs")


PUBLISHED = {
    "bert-base": 110_106_428,
    "bert-large": 336_226_108,
    "bert-medium": 41_668_412,
    "bert-small": 29_058_876,
    "bert-mini": 11_267_900,
    "bert-tiny": 4_433_468,
}


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_published_sizes(name: str, parameters: int) -> None:
    config = FAMILY.presets[name]
    with torch.device("meta"):
        assert sum(p.numel() for p in BERT(config).parameters()) == parameters
        sizes = {theirs: getattr(config, ours) for ours, theirs in MAPPING.sizes.items()}
        table = transformers.BertConfig(**sizes, intermediate_size=4 * config.width)
        assert transformers.BertForPreTraining(table).num_parameters() == parameters
