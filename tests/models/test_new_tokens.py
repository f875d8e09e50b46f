from dataclasses import replace

import pytest
import torch

from gptwright.layers.lora import add_lora, merge_lora
from gptwright.models.catalogue import build, preset
from gptwright.models.new_tokens import with_new_tokens

SIZES = {"width": 96, "heads": 6, "layers": 1, "context": 16}


@pytest.mark.parametrize("name", ["gpt1-nano", "gpt2-nano", "llama-nano", "modern-nano"])
@pytest.mark.parametrize("spare", [0, 2, 9])
def test_only_the_new_rows_are_new(name: str, spare: int) -> None:
    config = replace(preset(name), vocab=40, **SIZES)
    base = build(config, seed=3)
    ids = [40 - spare, 41 - spare, 42 - spare]
    old = [row for row in range(40) if row not in ids]
    grown = with_new_tokens(base, ids, seed=5)
    assert grown.config == replace(config, vocab=max(40, 43 - spare))
    ours = grown.state_dict()
    for matrix, known in ((grown.embed.weight.detach(), base.embed.weight), (grown.output.detach(), base.output)):
        assert len(matrix) == grown.config.vocab and torch.equal(matrix[old], known[old])
        assert float(matrix[ids].std()) == pytest.approx(0.02, rel=0.2) and float(matrix[ids].mean().abs()) < 0.005
    others = {n: t for n, t in base.state_dict().items() if t.shape == ours[n].shape and len(t) != 40}
    assert others and all(torch.equal(ours[n], tensor) for n, tensor in others.items())
    again = with_new_tokens(build(config, seed=3), ids, seed=5)
    assert all(torch.equal(ours[n], tensor) for n, tensor in again.state_dict().items())
    assert not torch.equal(with_new_tokens(base, ids, seed=6).embed.weight[ids], grown.embed.weight[ids])


def test_what_was_computed_without_the_new_tokens_is_still_computed() -> None:
    config = replace(preset("llama-nano"), vocab=40, **SIZES, tied=False)
    base = build(config, seed=3)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.equal(with_new_tokens(base, [40], 1).hidden(ids), base.hidden(ids))
        torch.testing.assert_close(with_new_tokens(base, [40], 1)(ids)[..., :40], base(ids))


@pytest.mark.parametrize("name", ["gpt1-nano", "gpt2-nano", "llama-nano", "modern-nano"])
def test_beside_low_rank_paths_their_vectors_learn_and_no_others(name: str) -> None:
    config = replace(preset(name), vocab=40, **SIZES)
    network = with_new_tokens(build(config, seed=3), [40, 41], seed=5)
    before = {n: t.clone() for n, t in network.state_dict().items()}
    ids = torch.tensor([[3, 40, 7, 40]])
    said = network.hidden(ids).detach()
    add_lora(network, 2, seed=1)
    assert torch.equal(network.hidden(ids), said)
    learn = {n: p for n, p in network.named_parameters() if p.requires_grad}
    rows = learn["embed.lora_rows"]
    network.hidden(ids)[0, -1].square().sum().backward()
    assert rows.grad is not None and bool(rows.grad[0].any()) and not bool(rows.grad[1].any())
    assert network.embed.weight.grad is None
    with torch.no_grad():
        rows -= rows.grad
        after = network.hidden(ids)
    merge_lora(network)
    assert torch.equal(network.hidden(ids), after) and not torch.equal(after, said)
    changed = {n for n, t in network.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {"embed.weight"} and network.state_dict().keys() == before.keys()
    assert torch.equal(network.embed.weight[:40], before["embed.weight"][:40])


def test_the_vectors_gradient_is_that_of_a_whole_matrix() -> None:
    config = replace(preset("gpt2-nano"), vocab=40, **SIZES)
    network = with_new_tokens(build(config, seed=3), [40, 41], seed=5)
    ids = torch.tensor([[3, 40, 41, 40, 9]])
    network.hidden(ids).square().sum().backward()
    assert network.embed.weight.grad is not None
    whole = network.embed.weight.grad[40:].clone()
    add_lora(network, 2, seed=1)
    network.hidden(ids).square().sum().backward()
    rows = network.get_parameter("embed.lora_rows").grad
    assert rows is not None
    torch.testing.assert_close(rows, whole)
