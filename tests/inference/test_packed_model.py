from typing import Any

import pytest
import torch

from gptwright.foundations.errors import ConfigError
from gptwright.inference.packed_model import KERNELS, auto_dtype, dtype_of, pack_model, refresh
from gptwright.layers.lora import add_lora, lora_layers
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.training.optimizer import cast_linears

CLOSE = {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.04, "int4": 0.3}  # of the logits' norm
SIZES: dict[str, Any] = {"vocab": 300, "context": 64, "width": 96, "layers": 2}


@pytest.fixture(params=[GPT2Config(**SIZES, heads=3), LlamaConfig(**SIZES, heads=3, kv_heads=1, hidden=160)])
def model(request: pytest.FixtureRequest) -> Any:
    return build(request.param, seed=3)


@pytest.mark.parametrize("form", KERNELS)
def test_every_format_says_nearly_the_same_and_follows_the_weights(model: Any, form: str) -> None:
    ids, view = torch.randint(300, (2, 20)), pack_model(model, form)
    for _ in range(2):
        with torch.inference_mode():
            exact, found = model.logits(model.hidden(ids)), view.logits(view.hidden(ids))
        assert float((found - exact).norm() / exact.norm()) < CLOSE[form]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.02)
        refresh(view)


@pytest.mark.parametrize("form", KERNELS)
def test_what_is_not_packed_is_shared(network: GPT2, form: str) -> None:
    view: Any = pack_model(network, form)
    assert view.embed.weight is network.embed.weight
    assert dict(view.named_parameters()).keys() == dict(network.named_parameters()).keys()
    assert all(a is b for a, b in zip(view.parameters(), network.parameters(), strict=True))


def test_a_small_model_keeps_its_own_format(network: GPT2) -> None:
    assert auto_dtype(network) == dtype_of(network) == "float32"


def test_matrices_in_bf16_are_written_with_in_float32_too(network: GPT2) -> None:
    cast_linears(network, torch.bfloat16)
    assert dtype_of(network) == "bfloat16"
    view = pack_model(network, "float32")
    assert view.matrix_dtype == torch.float32
    assert view.hidden(torch.tensor([[1, 2, 3]])).dtype == torch.float32


def test_an_unknown_format_is_refused(network: GPT2) -> None:
    with pytest.raises(ConfigError, match="Did you mean"):
        pack_model(network, "int9")


@pytest.mark.parametrize("form", KERNELS)
def test_low_rank_paths_are_packed_with_their_matrices(model: Any, form: str) -> None:
    add_lora(model, 2, seed=1)
    ids, view = torch.randint(300, (2, 20)), pack_model(model, form)
    with torch.inference_mode():
        before = model(ids)
        for layer in lora_layers(model).values():
            layer.lora_b.normal_(std=0.3)
        refresh(view)
        exact, found = model(ids), view.logits(view.hidden(ids))
    assert float((found - exact).norm() / exact.norm()) < CLOSE[form]
    assert float((before - exact).norm() / exact.norm()) > 0.3
