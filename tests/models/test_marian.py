"""transformers' Marian is the oracle: what we write it reads, what it writes we read, and both compute the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from gptwright.foundations.errors import GptwrightError
from gptwright.models.huggingface import read_model, write_model
from gptwright.models.transformer import Transformer

SIZES = {"vocab_size": 60, "d_model": 24, "max_position_embeddings": 32}
HALF = {"layers": 3, "ffn_dim": 40, "attention_heads": 4}
HALVES = {f"{half}_{name}": value for half in ("encoder", "decoder") for name, value in HALF.items()}
PAPER = {"activation_function": "relu", "scale_embedding": True}
IDS = {"pad_token_id": 1, "eos_token_id": 0, "decoder_start_token_id": 0, "bos_token_id": 0}
SOURCE = torch.arange(2, 20).reshape(2, 9) * 7 % 60
LENGTHS = torch.tensor([9, 5])
REAL = torch.arange(9) < LENGTHS[:, None]
TARGET = torch.arange(22).reshape(2, 11) * 13 % 60


@pytest.fixture
def theirs(tmp_path: Path) -> Any:
    """A random Marian made by transformers, as it wrote it into the folder `theirs`."""
    config = transformers.MarianConfig(**SIZES, **HALVES, **PAPER, **IDS, forced_eos_token_id=None)
    model = transformers.MarianMTModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # not the sinusoids
                parameter.normal_(0.0, 0.3)
    model.save_pretrained(tmp_path / "theirs")
    return model


def asked(model: Any, **more: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=SOURCE, attention_mask=REAL.long(), decoder_input_ids=TARGET, **more)


def ours(folder: Path) -> Transformer:
    model = read_model(folder)
    assert isinstance(model, Transformer)
    return model.requires_grad_(False)


def test_we_compute_the_same_from_their_folder(theirs: Any, tmp_path: Path) -> None:
    found = ours(tmp_path / "theirs")(SOURCE, LENGTHS, TARGET)
    assert (asked(theirs).logits - found).abs().max() <= 1e-4


def test_every_layer_computes_the_same(theirs: Any, tmp_path: Path) -> None:
    model = ours(tmp_path / "theirs")
    states: dict[str, list[torch.Tensor]] = {"encoder": [], "decoder": []}
    for half, found in states.items():
        for block in getattr(model, half):
            block.register_forward_hook(lambda _, __, output, found=found: found.append(output))
    model(SOURCE, LENGTHS, TARGET)
    expected = asked(theirs, output_hidden_states=True)
    assert len(states["encoder"]) == len(states["decoder"]) == 3
    for mine, other in zip(states["encoder"], expected.encoder_hidden_states[1:], strict=True):
        assert ((mine - other).abs() * REAL[..., None]).max() <= 1e-4
    for mine, other in zip(states["decoder"], expected.decoder_hidden_states[1:], strict=True):
        assert (mine - other).abs().max() <= 1e-4


def test_places_far_from_the_start_are_the_same() -> None:
    sizes = SIZES | {"max_position_embeddings": 1024}
    table = transformers.MarianMTModel(transformers.MarianConfig(**sizes, **HALVES, **PAPER, **IDS)).model
    from gptwright.layers.positions import sinusoids

    assert (sinusoids(torch.arange(1024), 24) - table.encoder.embed_positions.weight).abs().max() <= 1e-6


def test_their_tensors_come_back_byte_for_byte(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    write_model(ours(tmp_path / "theirs"), tmp_path / "back", IDS)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "back")]
    assert {k: v for k, v in configs[0].items() if k in configs[1] and v != configs[1][k]} == {}


def test_they_compute_the_same_from_our_folder(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    model = ours(tmp_path / "theirs")
    write_model(model, tmp_path / "back", IDS)
    again, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "back", output_loading_info=True)
    assert type(again) is transformers.MarianMTModel
    assert not report["missing_keys"] - {f"model.{half}.embed_positions.weight" for half in ("encoder", "decoder")}
    assert not report["unexpected_keys"] and not report["mismatched_keys"]
    assert (asked(again.eval()).logits - asked(theirs).logits).abs().max() <= 1e-4
    assert ours(tmp_path / "back").config == model.config


def test_weights_in_several_files_go_both_ways(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    write_model(ours(tmp_path / "theirs"), tmp_path / "parts", IDS, shard=20_000)
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "parts").eval()
    assert (asked(again).logits - ours(tmp_path / "parts")(SOURCE, LENGTHS, TARGET)).abs().max() <= 1e-4


def test_a_model_saved_without_the_output_is_read(theirs: Any, tmp_path: Path) -> None:
    theirs.model.save_pretrained(tmp_path / "trunk")
    found = ours(tmp_path / "trunk")(SOURCE, LENGTHS, TARGET)
    assert (asked(theirs).logits - found).abs().max() <= 1e-4


def settings(**changes: Any) -> Callable[[Path], None]:
    """Changes config.json; `...` takes a field away."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))

    return change


def with_bias(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["final_logits_bias"][0, 7] = 0.5
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (settings(activation_function="swish"), "activation_function = 'relu'"),
        (settings(activation_function=...), "activation_function = 'relu', said"),
        (settings(scale_embedding=False), "scale_embedding = True"),
        (settings(scale_embedding=...), "scale_embedding = True, said"),
        (settings(share_encoder_decoder_embeddings=False), "share_encoder_decoder_embeddings = True"),
        (settings(decoder_layers=2), "decoder_layers = 3"),
        (settings(decoder_ffn_dim=48), "decoder_ffn_dim = 40"),
        (settings(decoder_attention_heads=2), "decoder_attention_heads = 4"),
        (settings(decoder_vocab_size=61), "decoder_vocab_size = 60"),
        (settings(normalize_before=True), "normalize_before = False"),
        (settings(add_final_layer_norm=True), "add_final_layer_norm = False"),
        (settings(static_position_embeddings=False), "static_position_embeddings = True"),
        (settings(encoder_layers=...), "'encoder_layers'"),
        (settings(dropout=1.5), "dropout"),
        (settings(cross_gate="sigmoid"), "'cross_gate'"),
        (with_bias, "final_logits_bias of zeros"),
    ],
)
def test_what_is_not_the_papers_model_is_refused(
    theirs: Any, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(tmp_path / "theirs")
    with pytest.raises(GptwrightError) as error:
        read_model(tmp_path / "theirs")
    assert said in str(error.value)


def test_fields_of_older_folders_are_read(theirs: Any, tmp_path: Path) -> None:
    settings(normalize_before=False, add_bias_logits=False, num_hidden_layers=3, decoder_vocab_size=None,
             bad_words_ids=[[1]], forced_eos_token_id=0)(tmp_path / "theirs")  # fmt: skip
    assert (asked(theirs).logits - ours(tmp_path / "theirs")(SOURCE, LENGTHS, TARGET)).abs().max() <= 1e-4
