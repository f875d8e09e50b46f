"""One copy of a model on several processes computes what one process computes."""

from typing import Any

import pytest
import torch
from torch import nn

from gptwright.models.catalogue import FAMILIES
from gptwright.training.distributed.sharding import units
from gptwright.training.distributed.tensor_parallel import PLANS

MESHES = ("shard 2", "tensor 2", "replicate 2", "shard 2 × tensor 2", "replicate 2 × shard 2")


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("rule", ["gpt2", "llama", "muon"])
def test_losses_norms_and_weights_after_some_steps(found: dict[str, Any], mesh: str, rule: str) -> None:
    assert found[mesh]["learned"][rule] == pytest.approx(found["one"]["learned"][rule], rel=1e-5)


@pytest.mark.parametrize("mesh", MESHES)
def test_matrices_in_bfloat16(found: dict[str, Any], mesh: str) -> None:
    assert found[mesh]["learned"]["bfloat16"] == pytest.approx(found["one"]["learned"]["bfloat16"], rel=0.02)


@pytest.mark.parametrize("mesh", MESHES)
def test_gradients_of_every_family(found: dict[str, Any], mesh: str) -> None:
    """Of plans that follow from the layers' classes alone."""
    furthest = found[mesh]["gradients"]
    assert len(furthest) == (2 if "×" in mesh else 9) and max(furthest.values()) < 1e-5, furthest


@pytest.mark.parametrize("mesh", MESHES)
def test_what_is_said_and_measured_on_the_way(found: dict[str, Any], mesh: str) -> None:
    assert found[mesh]["said"]["answers"] == found["one"]["said"]["answers"]
    assert found[mesh]["said"]["nats"] == pytest.approx(found["one"]["said"]["nats"], abs=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_units_hold_every_matrix_of_a_block_and_one_format_each(name: str) -> None:
    with torch.device("meta"):
        network = FAMILIES[name].model(next(iter(FAMILIES[name].presets.values())))
    found = [unit if isinstance(unit, list) else [unit] for unit in units(network)]
    held = [part for unit in found for layer in unit for part in layer.modules() if isinstance(part, nn.Linear)]
    assert set(held) == {part for part in network.modules() if isinstance(part, nn.Linear)}
    assert len(held) == len(set(held))
    layers = [layer for layer in network.modules() if type(layer) in PLANS]
    assert layers and {type(layer) for layer in layers} <= {type(layer) for unit in found for layer in unit}
