"""What decoders share; and transformers computes the same: random weights of theirs read by us, ours by them."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tests.models.test_family import new_cache
from torch import nn

from gptwright.layers.cache import positions_of
from gptwright.layers.masks import Documents
from gptwright.models.catalogue import FAMILIES
from gptwright.models.family import Family
from gptwright.models.formats.huggingface import read_model, write_model
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.llama import Llama, LlamaConfig

SHAPE = {"vocab_size": 60, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 6}
GPT = {
    "vocab_size": 60,
    "n_positions": 32,
    "n_embd": 24,
    "n_head": 4,
    "n_layer": 3,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
STRETCH = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip


def llama(**more: Any) -> Any:
    sizes = {"intermediate_size": 40, "max_position_embeddings": 32, "bos_token_id": 0, "eos_token_id": 0}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SHAPE, **sizes, **more))


MAKERS = {
    "gpt1": lambda: transformers.OpenAIGPTLMHeadModel(transformers.OpenAIGPTConfig(**GPT)),
    "gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT)),
    "llama": lambda: llama(),
    "llama, grouped keys": lambda: llama(num_key_value_heads=2),
    "llama, tied, stretched": lambda: llama(num_key_value_heads=3, tie_word_embeddings=True, rope_parameters=STRETCH),
}
IDS = torch.arange(48).reshape(2, 24) * 7 % 60


@pytest.fixture(params=MAKERS)
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A random model made by transformers; its folder is `theirs`."""
    model = MAKERS[request.param]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    model.save_pretrained(tmp_path / "theirs")
    return model


def test_we_compute_the_same_from_their_folder(theirs: Any, tmp_path: Path) -> None:
    model: Any = read_model(tmp_path / "theirs")
    with torch.no_grad():
        assert (theirs(IDS).logits - model(IDS)).abs().max() <= 1e-4


def test_every_layer_computes_the_same(theirs: Any, tmp_path: Path) -> None:
    model: Any = read_model(tmp_path / "theirs")
    states: list[torch.Tensor] = []
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, output: states.append(output))
    with torch.no_grad():
        model.hidden(IDS)
        expected = theirs(IDS, output_hidden_states=True).hidden_states[1:]
    for ours, state in zip(states[:-1], expected[:-1], strict=True):  # their last one has passed the final norm
        torch.testing.assert_close(ours, state, atol=1e-4, rtol=1e-4)


def test_their_tensors_come_back_byte_for_byte(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    write_model(read_model(tmp_path / "theirs"), tmp_path / "back", {})
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_they_compute_the_same_from_our_folder(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    write_model(read_model(tmp_path / "theirs"), tmp_path / "back", {"bos_token_id": 0, "eos_token_id": 0})
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "back").eval()
    assert type(again) is type(theirs)
    with torch.no_grad():
        torch.testing.assert_close(theirs(IDS).logits, again(IDS).logits, atol=1e-5, rtol=1e-5)


def test_weights_in_several_files_go_both_ways(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    model: Any = read_model(tmp_path / "theirs")
    write_model(model, tmp_path / "parts", {"bos_token_id": 0, "eos_token_id": 0}, shard=20_000)
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    again: Any = read_model(tmp_path / "parts")
    oracle = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "parts").eval()
    with torch.no_grad():
        assert torch.equal(model(IDS), again(IDS))
        torch.testing.assert_close(oracle(IDS).logits, again(IDS), atol=1e-4, rtol=1e-4)


def test_the_output_matrix_is_the_embedding_or_one_of_its_own() -> None:
    sizes = {"vocab": 20, "context": 8, "width": 8, "heads": 2, "layers": 1}
    tied = Llama(LlamaConfig(**sizes, kv_heads=1, hidden=12, tied=True))
    apart = Llama(LlamaConfig(**sizes, kv_heads=1, hidden=12))
    assert tied.output is tied.embed.weight
    assert apart.output is not apart.embed.weight
    assert GPT2(GPT2Config(**sizes)).output.shape == (20, 8)


def test_positions_begin_where_the_cache_ends() -> None:
    model = GPT2(GPT2Config(vocab=20, context=8, width=8, heads=2, layers=1))
    ids = torch.zeros(2, 3, dtype=torch.long)
    assert positions_of(ids, None, 8).tolist() == [[0, 1, 2]]
    cache = new_cache(model, 2, 8)
    cache.advance(torch.tensor([1, 4]))
    assert positions_of(ids, cache, 8).tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(IndexError):
        positions_of(torch.zeros(1, 9, dtype=torch.long), None, 8)


DECODERS = [family for family in FAMILIES.values() if family.kind == "decoder"]


@pytest.mark.parametrize("family", DECODERS, ids=lambda family: family.name)
def test_documents_in_a_row_are_read_as_if_each_stood_alone(family: Family) -> None:
    sizes = {"vocab": 30, "context": 32, "width": 16, "heads": 2, "layers": 2}
    few = {"kv_heads": 1, "hidden": 32, "reach": 3}
    more = {name: value for name, value in few.items() if name in family.config.__dataclass_fields__}
    model: Any = family.model(family.config(**sizes, **more))
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    texts = [torch.randint(1, 30, (length,)) for length in (5, 9, 1, 12)]
    documents = [torch.cat([torch.tensor([0]), text]) for text in texts]
    together = torch.cat(documents)[None]
    with torch.inference_mode():
        states = model.hidden(together, documents=Documents.begun_by(0, together))[0]
        alone = torch.cat([model.hidden(document[None])[0] for document in documents])
        mixed = model.hidden(together)[0]
    torch.testing.assert_close(states, alone, atol=2e-5, rtol=1e-4)
    first = len(documents[0])
    torch.testing.assert_close(mixed[:first], alone[:first], atol=2e-5, rtol=1e-4)
    assert (mixed[first:] - alone[first:]).abs().max() > 0.01, "without it the second sees the first"
