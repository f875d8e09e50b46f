import torch

from gptwright.models.gpt1 import GPT1, GPT1Config


def test_every_state_has_passed_a_norm_last() -> None:
    model = GPT1(GPT1Config(vocab=30, context=16, width=12, heads=3, layers=2))
    model.initialise(1)
    states = model.hidden(torch.arange(16)[None])
    torch.testing.assert_close(states.mean(-1), torch.zeros(1, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(states.var(-1, unbiased=False), torch.ones(1, 16), atol=0.01, rtol=0)


def test_initial_weights_are_those_of_the_paper() -> None:
    model = GPT1(GPT1Config(vocab=3000, context=64, width=64, heads=2, layers=4))
    model.initialise(1)
    assert all(abs(float(p.detach().std()) - 0.02) < 0.001 for p in model.parameters() if p.dim() > 1)
