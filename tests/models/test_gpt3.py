from typing import Any

import pytest
import torch

from gptwright.foundations.errors import ConfigError
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.gpt3 import GPT3, GPT3Config

SIZES = {"vocab": 40, "context": 24, "width": 12, "heads": 3}
IDS = torch.arange(24)[None] * 7 % 40


def loud(model: Any) -> Any:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    return model


def test_with_a_reach_of_the_whole_context_it_is_gpt2() -> None:
    sparse, dense = loud(GPT3(GPT3Config(**SIZES, layers=2, reach=24))), loud(GPT2(GPT2Config(**SIZES, layers=2)))
    torch.testing.assert_close(sparse(IDS), dense(IDS), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("pattern", "seen"), [("banded", {19, 20, 21, 22, 23}), ("strided", {3, 8, 13, 18, 19, 20, 21, 22, 23})]
)
def test_odd_layers_see_a_sparse_part(pattern: str, seen: set[int]) -> None:
    """What the last state of the second block alone depends on."""
    model = loud(GPT3(GPT3Config(**SIZES, layers=2, sparse=pattern, reach=5)))
    x = torch.randn(1, 24, 12, requires_grad=True)
    model.blocks[1](x, model.masks[1], None)[0, -1].sum().backward()
    assert x.grad is not None
    assert {place for place in range(24) if x.grad[0, place].abs().sum() > 1e-7} == seen


def test_an_unknown_pattern() -> None:
    with pytest.raises(ConfigError, match="'banded'"):
        GPT3Config(sparse="bandet")
