"""What is expected: the network's own logits at the end, and before it transformers' norm and head on its states, and
what TransformerLens, unmodified, reads in a folder that we export."""

from collections.abc import Callable
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from gptwright.interpretability.predictions import lens, lens_logits, predictions
from gptwright.models.bert import BERT
from gptwright.models.catalogue import FAMILIES, build
from gptwright.models.decoder import Decoder
from gptwright.models.formats.huggingface import read_model
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.pipelines.model import Model
from gptwright.tokenizers.tokenizer import Tokenizer

DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]
IDS = torch.arange(12)[None] * 7 % 58 + 2


@pytest.mark.parametrize("family", DECODERS)
def test_the_last_state_says_what_the_network_says(family: str, small: Callable[[str], Decoder]) -> None:
    network = small(family)
    states = network.trace(IDS).states
    assert len(states) == 4
    torch.testing.assert_close(lens_logits(network, states[-1][0]), network(IDS)[0], atol=1e-4, rtol=1e-4)


def test_an_encoders_too(encoder_network: BERT) -> None:
    state = encoder_network.trace(IDS).states[-1]
    torch.testing.assert_close(lens_logits(encoder_network, state[0]), encoder_network(IDS)[0], atol=1e-4, rtol=1e-4)


def test_the_lens_is_transformers_norm_and_head_on_its_states(tmp_path: Path) -> None:
    config = transformers.GPT2Config(vocab_size=60, n_positions=32, n_embd=24, n_head=4, n_layer=2)
    theirs: Any = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0.0, 0.2)
        theirs.save_pretrained(tmp_path)
        state = theirs(IDS, output_hidden_states=True).hidden_states[1]
        expected = theirs.lm_head(theirs.transformer.ln_f(state))[0]
    ours: Any = read_model(tmp_path)
    found = lens_logits(ours, ours.trace(IDS).states[1][0])
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)


@pytest.mark.transformer_lens
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", [GPT2Config, partial(LlamaConfig, kv_heads=2)])
@torch.no_grad()
def test_transformer_lens_sees_the_same(family: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    from transformer_lens.model_bridge import TransformerBridge  # the environment of other tests has none

    network = build(family(vocab=tokenizer.vocab, context=32, width=32, heads=4, layers=3), seed=1).eval()
    for parameter in network.parameters():
        parameter.normal_(0.0, 0.2)
    Model(network, tokenizer, "tiny").save(tmp_path)
    theirs: Any = TransformerBridge.boot_transformers(str(tmp_path), device="cpu")
    logits, cache = theirs.run_with_cache(IDS)
    torch.testing.assert_close(network(IDS), logits, atol=1e-4, rtol=1e-4)
    trace = network.trace(IDS)
    for layer, weights in enumerate(trace.attention):
        torch.testing.assert_close(weights, cache[f"blocks.{layer}.attn.hook_pattern"], atol=1e-5, rtol=0)
    for ours, state in zip(trace.states, cache.accumulated_resid(layer=-1, incl_mid=False), strict=True):
        expected = theirs.unembed(theirs.ln_final(state))[0]
        torch.testing.assert_close(lens_logits(network, ours[0]), expected, atol=1e-4, rtol=1e-4)


def test_numbers_by_hand() -> None:
    logits = torch.tensor([[0.0, log(2.0), 0.0], [0.0, 0.0, -torch.inf], [log(8.0), 0.0, 0.0]])
    found = predictions(logits, [0, 1], top=2)
    assert found.ids[0, 0] == 1 and found.ids[2, 0] == 0
    torch.testing.assert_close(found.probabilities[:, 0], torch.tensor([0.5, 0.5, 0.8]))
    torch.testing.assert_close(found.entropy[:2], torch.tensor([1.5 * log(2.0), log(2.0)]))
    torch.testing.assert_close(found.actual[:2], torch.tensor([0.25, 0.5]))
    assert found.actual[2].isnan() and found.rank.tolist() == [1, 0, -1]


def test_a_top_beyond_the_vocabulary_is_the_vocabulary(small: Callable[[str], Decoder]) -> None:
    network = small("gpt2")
    layers = [*lens(network, network.trace(IDS).states, IDS[0, 1:].tolist(), top=99)]
    assert [tuple(layer.ids.shape) for layer in layers] == [(12, 60)] * 4
    torch.testing.assert_close(layers[-1].probabilities.sum(-1), torch.ones(12))
