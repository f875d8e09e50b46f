"""A low-rank path begins as nothing, alone learns, and is one with its matrix afterwards."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gptwright.layers.linear import fused_matrices, marked_linear
from gptwright.layers.lora import LoRALinear, add_lora, choose_learners, lora_layers, merge_lora
from gptwright.models.catalogue import FAMILIES, build

SMALL: dict[str, dict[str, Any]] = {name: {} for name in FAMILIES} | {"llama": {"kv_heads": 2, "hidden": 40},
                                                                     "modern": {"kv_heads": 2}}  # fmt: skip
DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]


def model_of(family: str) -> Any:
    network = build(FAMILIES[family].config(vocab=60, context=24, width=24, heads=4, layers=2, **SMALL[family]))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


def stir(network: nn.Module) -> None:
    """Paths that say something."""
    for layer in lora_layers(network).values():
        nn.init.normal_(layer.lora_b, std=0.3)


@pytest.fixture
def layer() -> LoRALinear:
    linear = LoRALinear(marked_linear(5, 6, parts=3, residual=True), 2, torch.Generator().manual_seed(0))
    nn.init.normal_(linear.lora_b)
    return linear


def test_the_sum_of_the_paper(layer: LoRALinear) -> None:
    x = torch.randn(2, 3, 5)
    alpha, rank = 4, 2
    by_hand = x @ layer.weight.T + layer.bias + alpha / rank * (x @ layer.lora_a.T @ layer.lora_b.T)
    torch.testing.assert_close(layer(x), by_hand)
    torch.testing.assert_close(F.linear(x, layer.merged_weight(), layer.bias), by_hand)


def test_gradients_are_those_of_the_sum(layer: LoRALinear) -> None:
    layer.double()
    for frozen in (layer.weight, layer.bias):
        frozen.requires_grad_(False)
    x = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    given = (x, layer.lora_a, layer.lora_b)
    assert torch.autograd.gradcheck(lambda x, a, b: layer(x), given)


@pytest.mark.parametrize("family", DECODERS)
def test_at_first_nothing_changes_and_merged_it_stays_equal(family: str) -> None:
    network, ids = model_of(family), torch.arange(24)[None] % 60
    with torch.no_grad():
        before = network(ids)
        add_lora(network, 3, seed=1)
        assert torch.equal(network(ids), before)
        stir(network)
        after = network(ids)
        merge_lora(network)
        assert (after - before).abs().max() > 1e-3
        assert (network(ids) - after).abs().max() <= 1e-5
    assert not lora_layers(network)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_matrix_of_every_attention_and_nothing_else(family: str) -> None:
    network = model_of(family)
    names, fused = {name for name, _ in network.named_parameters()}, fused_matrices(network)
    add_lora(network, 2, seed=1)
    adapted = {name for name, part in network.named_modules() if isinstance(part, nn.Linear)
               and ("attention." in name or "cross." in name)}  # fmt: skip
    assert set(lora_layers(network)) == adapted and adapted
    learn = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert learn == {f"{name}.{factor}" for name in adapted for factor in ("lora_a", "lora_b")}
    merge_lora(network)
    assert {name for name, _ in network.named_parameters()} == names
    assert fused_matrices(network) == fused


def test_frozen_weights_get_no_gradient() -> None:
    network = model_of("llama")
    add_lora(network, 2, seed=1)
    stir(network)
    network(torch.arange(24)[None]).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == ("lora_" in name), name


def test_the_first_factors_are_the_seeds() -> None:
    first: list[list[torch.Tensor]] = []
    for seed in (1, 1, 2):
        model = model_of("gpt2")
        add_lora(model, 2, seed)
        first.append([layer.lora_a for layer in lora_layers(model).values()])
    assert all(torch.equal(a, b) for a, b in zip(first[0], first[1], strict=True))
    assert not torch.equal(first[0][0], first[2][0])
    assert first[0][0].abs().max() <= 24**-0.5


def test_without_a_rank_everything_learns(network: nn.Module) -> None:
    choose_learners(network, 0, seed=1)
    assert all(parameter.requires_grad for parameter in network.parameters())
    choose_learners(network, 2, seed=1)
    assert lora_layers(network)
