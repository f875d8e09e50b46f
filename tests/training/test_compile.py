from typing import Any

import pytest
import torch
from torch import nn

from gptwright.layers.norms import LayerNorm, RMSNorm
from gptwright.models.catalogue import FAMILIES
from gptwright.training.compile import blocks, compile_parts, force_eager, layers
from gptwright.training.distributed.tensor_parallel import PLANS


@pytest.fixture(params=FAMILIES)
def network(request: pytest.FixtureRequest) -> Any:
    family = FAMILIES[request.param]
    with torch.device("meta"):
        return family.model(next(config for name, config in family.presets.items() if name.endswith("-nano")))


def test_units_do_not_lie_inside_each_other(network: Any) -> None:
    for found in (list(blocks(network)), list(layers(network))):
        inside = [part for unit in found for part in unit.modules() if part is not unit]
        assert found and not set(found) & set(inside)


def test_every_matrix_of_a_block_is_in_a_unit(network: Any) -> None:
    in_blocks = {part for block in blocks(network) for part in block.modules() if isinstance(part, nn.Linear)}
    assert in_blocks == {part for unit in layers(network) for part in unit.modules() if isinstance(part, nn.Linear)}


@pytest.mark.parametrize("alone", [True, False])
def test_names_stay_and_nothing_is_compiled_before_it_computes(network: Any, alone: bool) -> None:
    names = [name for name, _ in network.named_parameters()]
    compile_parts(network, alone=alone)
    assert [name for name, _ in network.named_parameters()] == names
    with force_eager():
        assert all(type(unit) in PLANS or isinstance(unit, LayerNorm | RMSNorm) for unit in layers(network))
