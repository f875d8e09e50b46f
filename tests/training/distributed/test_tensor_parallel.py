from typing import Any

import pytest
import torch
from torch import nn

from gptwright.foundations.errors import ConfigError
from gptwright.models.catalogue import FAMILIES
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.training.distributed.tensor_parallel import PLANS, check_parts


@pytest.mark.parametrize("name", FAMILIES)
def test_the_plan_covers_every_matrix_of_the_blocks(name: str) -> None:
    with torch.device("meta"):
        network = FAMILIES[name].model(next(iter(FAMILIES[name].presets.values())))
    planned = {
        getattr(layer, part)
        for layer in network.modules()
        if (plan := PLANS.get(type(layer)))
        for part in (*plan.outputs, plan.inputs)
    }
    in_blocks = {
        part
        for name, part in network.named_modules()
        if isinstance(part, nn.Linear) and any(word.isdigit() for word in name.split("."))
    }
    assert planned == in_blocks


SIZES: dict[str, Any] = {"vocab": 48, "context": 8, "width": 24, "layers": 1}


@pytest.mark.parametrize(
    ("config", "needed"),
    [
        (GPT2Config(**SIZES, heads=3), "heads that are a multiple of the mesh's tensor axis, 4; got 3"),
        (GPT2Config(**SIZES | {"vocab": 50}, heads=4), "vocab that are a multiple .* got 50"),
        (LlamaConfig(**SIZES, heads=4, kv_heads=2, hidden=32), "kv_heads that are a multiple .* got 2"),
        (LlamaConfig(**SIZES, heads=4, kv_heads=4, hidden=30), "hidden that are a multiple .* got 30"),
    ],
)
def test_sizes_that_do_not_fit(config: Any, needed: str) -> None:
    check_parts(config, 1)
    with pytest.raises(ConfigError, match=needed):
        check_parts(config, 4)
