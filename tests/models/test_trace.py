"""What a network computes on the way is what transformers returns of the same weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gptwright.layers.cache import Cache
from gptwright.layers.embedding import Embeddings
from gptwright.layers.trace import Trace
from gptwright.models.catalogue import FAMILIES
from gptwright.models.decoder import Decoder
from gptwright.models.formats.huggingface import read_model

IDS = torch.arange(24).reshape(2, 12) * 7 % 58 + 2
Small = Callable[[str], Decoder]
DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]


@pytest.mark.parametrize("family", ["gpt2", "llama", "gpt1"])
def test_states_and_attention_are_those_of_transformers(family: str, made: Callable[..., Any], tmp_path: Path) -> None:
    theirs = made(family, tmp_path)
    theirs.set_attn_implementation("eager")
    ours: Any = read_model(tmp_path)
    trace = ours.trace(IDS)
    with torch.no_grad():
        expected = theirs(IDS, output_hidden_states=True, output_attentions=True)
    assert len(trace.attention) == len(expected.attentions) == 2 and len(trace.states) == 3
    for weights, reference in zip(trace.attention, expected.attentions, strict=True):
        torch.testing.assert_close(weights, reference, atol=1e-5, rtol=0)
    last = ours.norm(trace.states[-1]) if hasattr(ours, "norm") else trace.states[-1]  # theirs is behind the norm
    for state, reference in zip([*trace.states[:-1], last], expected.hidden_states, strict=True):
        torch.testing.assert_close(state, reference, atol=1e-5 * float(reference.abs().max()), rtol=0)


def test_an_encoders_too_with_padding(made: Callable[..., Any], tmp_path: Path) -> None:
    theirs = made("bert", tmp_path)
    theirs.set_attn_implementation("eager")
    ours: Any = read_model(tmp_path)
    lengths = torch.tensor([12, 7])
    trace = ours.trace(IDS, lengths=lengths)
    with torch.no_grad():
        expected = theirs(IDS, attention_mask=(torch.arange(12) < lengths[:, None]).long(), output_attentions=True,
                          output_hidden_states=True)  # fmt: skip
    for weights, reference in zip(trace.attention, expected.attentions, strict=True):
        torch.testing.assert_close(weights, reference, atol=1e-5, rtol=0)
    for state, reference in zip(trace.states, expected.hidden_states, strict=True):
        torch.testing.assert_close(state, reference, atol=1e-5 * float(reference.abs().max()), rtol=0)


@pytest.mark.parametrize("family", DECODERS)
def test_who_does_not_look_pays_nothing(family: str, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(family)
    before = network.hidden(IDS)
    trace = network.trace(IDS)
    assert len(trace.attention) == 3 and len(trace.states) == 4
    monkeypatch.setattr(Trace, "attend", lambda *_: pytest.fail("weights were computed"))
    assert torch.equal(network.hidden(IDS), before)


@pytest.mark.parametrize("family", DECODERS)
def test_a_trace_changes_no_result(family: str, small: Small) -> None:
    network = small(family)
    trace = Trace(IDS.device)
    torch.testing.assert_close(network.hidden(IDS, trace), network.hidden(IDS), atol=1e-4, rtol=1e-4)
    with pytest.raises(IndexError):
        network.trace(torch.zeros(1, 33, dtype=torch.long))


@pytest.mark.parametrize("family", DECODERS)
def test_embeddings_of_the_ids_themselves_are_the_ids(family: str, small: Small) -> None:
    network = small(family)
    placeholders = torch.tensor([2, 3, 4, 14, 23])
    ids = IDS.clone()
    ids.view(-1)[placeholders] = 0
    values = network.embed(IDS).flatten(0, 1)[placeholders]
    found = network.hidden(ids, embeddings=Embeddings(placeholders, values))
    assert torch.equal(found, network.hidden(IDS))
    assert not torch.equal(network.hidden(ids), found)


@pytest.mark.parametrize("family", DECODERS)
def test_with_embeddings_cached_equals_uncached_and_their_gradient_arrives(family: str, small: Small) -> None:
    network = small(family)
    values = torch.randn(2, 24, requires_grad=True)
    row = IDS[:1]
    whole = network.hidden(row, embeddings=Embeddings(torch.tensor([1, 2]), values))
    cache = Cache(3, 1, network.blocks[0].attention.kv_heads, 32, 6, torch.float32)  # pyright: ignore
    first = network.hidden(row[:, :2], cache, embeddings=Embeddings(torch.tensor([1]), values[:1]))
    cache.advance(torch.tensor([2]))
    second = network.hidden(row[:, 2:], cache, embeddings=Embeddings(torch.tensor([0]), values[1:]))
    torch.testing.assert_close(torch.cat([first, second], 1), whole, atol=1e-4, rtol=1e-4)
    whole.sum().backward()
    assert values.grad is not None and (values.grad.abs().sum(-1) > 0).all()
