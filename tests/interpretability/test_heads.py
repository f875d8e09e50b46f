"""What heads do: scores of attention that is known, and the loss with a head that adds nothing."""

import copy
from collections.abc import Callable

import pytest
import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.inference.packed_model import with_paths
from gptwright.interpretability.heads import ablations, attentions, head_scores, without_head
from gptwright.interpretability.reading import Reading
from gptwright.layers.lora import add_lora, lora_layers, merge_lora
from gptwright.layers.trace import Trace
from gptwright.models.catalogue import FAMILIES
from gptwright.models.decoder import Decoder

DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]
IDS = torch.arange(12)[None] * 7 % 58 + 2


def copying(ids: Int[Tensor, "B T"]) -> Trace:
    """Of two heads: one looks behind the last appearance of the same id, one at the id before."""
    rows, tokens = ids.shape
    length, weights = tokens // 2, torch.zeros(rows, 2, tokens, tokens)
    assert torch.equal(ids[:, :length], ids[:, length:])
    for at in range(1, tokens):
        weights[:, 0, at, at - length + 1 if at >= length else 0] = 1
        weights[:, 1, at, at - 1] = 1
    trace = Trace(ids.device)
    trace.attention.append(weights)
    return trace


def test_heads_that_are_known(small: Callable[[str], Decoder], monkeypatch: pytest.MonkeyPatch) -> None:
    network = small("gpt2")
    monkeypatch.setattr(network, "trace", copying)
    scores = head_scores(network)
    assert scores.induction[0].tolist() == [1.0, 0.0] and scores.previous[0, 1] == 1.0
    assert scores.previous[0, 0] < 0.1 and 0.4 < scores.first[0, 0] < 0.6


@pytest.mark.parametrize("family", DECODERS)
def test_scores_are_shares_and_the_same_again(family: str, small: Callable[[str], Decoder]) -> None:
    network = small(family)
    scores, again = head_scores(network), head_scores(network)
    for name in ("previous", "first", "induction"):
        values = getattr(scores, name)
        assert values.shape == (3, 4) and ((values >= 0) & (values <= 1)).all()
        assert torch.equal(values, getattr(again, name))


@pytest.mark.parametrize("family", DECODERS)
def test_a_head_that_is_off_adds_nothing_and_comes_back(family: str, small: Callable[[str], Decoder]) -> None:
    network = small(family)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    logits = network(IDS)
    changes = []
    for change in ablations(network, Reading(IDS)):
        changes.append(change)
        assert torch.equal(network(IDS), logits)  # meanwhile it is what it was, for whoever uses it
    assert len(changes) == 3 * 4 and 0 not in changes
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    attention = attentions(network)[1]
    columns = slice(2 * attention.head_width, 3 * attention.head_width)
    with torch.no_grad(), without_head(attention, 2):
        off = network(IDS)
    with torch.no_grad():
        attention.out.weight[:, columns] = 0
        torch.testing.assert_close(off, network(IDS))


def test_an_error_gives_the_head_back(small: Callable[[str], Decoder]) -> None:
    attention = attentions(small("llama"))[0]
    before = attention.out
    with pytest.raises(KeyError), without_head(attention, 0):
        raise KeyError
    assert attention.out is before


def test_a_path_beside_the_matrix_reads_nothing_of_the_head_either(small: Callable[[str], Decoder]) -> None:
    base = small("llama")
    network = copy.deepcopy(base)
    add_lora(network, rank=2, seed=0)
    for layer in lora_layers(network).values():
        torch.nn.init.ones_(layer.lora_b)
    merged = copy.deepcopy(network)
    merge_lora(merged)
    assert [*ablations(network, Reading(IDS))] == pytest.approx([*ablations(merged, Reading(IDS))], abs=1e-5)
    paths = {name: (layer.lora_a.data, layer.lora_b.data * layer.scale) for name, layer in lora_layers(network).items()}
    assert [*ablations(with_paths(base, paths), Reading(IDS))] == pytest.approx(
        [*ablations(merged, Reading(IDS))], abs=1e-5
    )
