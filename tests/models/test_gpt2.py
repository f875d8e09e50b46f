import torch

from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.training.optimizer import cast_linears

CONFIG = GPT2Config(vocab=3000, context=64, width=64, heads=2, layers=8)


def test_initial_weights_are_those_of_the_paper() -> None:
    model = GPT2(CONFIG)
    model.initialise(3)
    spread = {name: float(p.detach().std()) for name, p in model.named_parameters() if p.dim() > 1}
    for name, found in spread.items():
        residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
        assert abs(found - (0.02 / 4 if residual else 0.02)) < 0.001, name
    assert all(p.eq(1).all() for name, p in model.named_parameters() if "norm" in name and name.endswith("weight"))
    assert all(p.eq(0).all() for name, p in model.named_parameters() if name.endswith("bias"))


def test_matrices_in_bfloat16_stay_near_float32() -> None:
    model = GPT2(CONFIG)
    model.initialise(3)
    ids = torch.randint(3000, (2, 40))
    exact = model(ids)
    cast_linears(model, torch.bfloat16)
    assert model.matrix_dtype == torch.bfloat16
    assert model.embed.weight.dtype == torch.float32
    found = model(ids)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=0.03, rtol=0.03)
