"""A second matrix that differs from its twin is used or refused, never dropped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.huggingface import read_model, write_model
from gptwright.models.llama import Llama, LlamaConfig
from gptwright.models.transformer import Transformer, TransformerConfig

IDS = torch.arange(24)[None] * 7 % 60
Make = Callable[..., Any]
TWINS = {
    "gpt2": ("lm_head.weight", "transformer.wte.weight"),
    "gpt1": ("lm_head.weight", "transformer.tokens_embed.weight"),
    "bert": ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
}


def put(folder: Path, **tensors: Any) -> None:
    path = folder / "model.safetensors"
    save_file(load_file(path) | tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize("family", TWINS)
def test_an_output_matrix_of_its_own_in_a_tied_family(family: str, made: Make, tmp_path: Path) -> None:
    model, (second, first) = made(family, tmp_path), TWINS[family]
    twin = load_file(tmp_path / "model.safetensors")[first]
    put(tmp_path, **{second: twin.clone()})
    with torch.no_grad():
        assert (read_model(tmp_path)(IDS) - model(IDS).logits).abs().max() <= 1e-4
    put(tmp_path, **{second: twin * 2})
    with pytest.raises(ArtifactError, match=rf"{second} equal to {first}"):
        read_model(tmp_path)


def test_a_bias_of_its_own(made: Make, tmp_path: Path) -> None:
    made("bert", tmp_path)
    put(tmp_path, **{"cls.predictions.decoder.bias": torch.ones(60)})
    with pytest.raises(ArtifactError, match=r"decoder\.bias equal to cls\.predictions\.bias"):
        read_model(tmp_path)


def test_a_llama_that_says_tied_and_has_its_own(
    made: Make, change: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """transformers then ties nothing; neither do we, and the folder that we write says so."""
    made("llama", tmp_path)
    change(tmp_path, tie_word_embeddings=True)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    ours: Any = read_model(tmp_path)
    assert "lm_head.weight is another" in capsys.readouterr().err
    with torch.no_grad():
        assert (ours(IDS) - theirs(IDS).logits).abs().max() <= 1e-4
    assert not ours.config.tied
    write_model(ours, tmp_path, {})
    assert torch.equal(read_model(tmp_path)(IDS), ours(IDS))


def test_a_llama_with_the_same_twice_is_tied(tmp_path: Path) -> None:
    config = LlamaConfig(vocab=60, context=64, width=24, heads=4, kv_heads=2, layers=1, hidden=40, tied=True)
    model = Llama(config)
    write_model(model, tmp_path, {})
    put(tmp_path, **{"lm_head.weight": model.embed.weight.detach().clone()})
    assert read_model(tmp_path).config == config


@pytest.mark.parametrize("name", ["model.encoder.embed_tokens.weight", "model.decoder.embed_positions.weight"])
def test_a_translators_copies(name: str, tmp_path: Path) -> None:
    config = TransformerConfig(vocab=60, context=32, width=24, heads=4, layers=1, hidden=40)
    model = Transformer(config)
    write_model(model, tmp_path, {"decoder_start_token_id": 0, "pad_token_id": 0})
    theirs: Any = transformers.MarianMTModel.from_pretrained(tmp_path)
    right = dict(theirs.named_parameters(remove_duplicate=False))[name].detach().clone()
    put(tmp_path, **{name: right})
    read_model(tmp_path)
    put(tmp_path, **{name: right + 0.5})
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        read_model(tmp_path)
