import pytest
import torch
from torch import Tensor

from gptwright.objectives import logprobs as module
from gptwright.objectives.logprobs import CHUNK, chosen_logprobs

WIDTH, VOCAB, COUNT = 5, 70, 2 * CHUNK + 3


@pytest.mark.parametrize("kept", [module.KEPT, 0])
def test_values_and_gradients_are_those_of_a_categorical_distribution(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", kept)
    states, output = torch.randn(COUNT, WIDTH, requires_grad=True), torch.randn(VOCAB, WIDTH, requires_grad=True)
    tokens, above = torch.randint(VOCAB, (COUNT,)), torch.randn(COUNT)
    logprobs, entropy = chosen_logprobs(states, output, tokens, 0.7)
    drawn = torch.distributions.Categorical(logits=states @ output.T / 0.7)
    torch.testing.assert_close(logprobs, drawn.log_prob(tokens))
    torch.testing.assert_close(entropy, drawn.entropy())
    mine = torch.autograd.grad((logprobs * above).sum(), (states, output))
    theirs = torch.autograd.grad((drawn.log_prob(tokens) * above).sum(), (states, output))
    for ours, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(ours, other, atol=1e-4, rtol=1e-4)


def test_an_unlikely_token_has_a_finite_log_probability() -> None:
    states, output = torch.tensor([[1000.0]]), torch.tensor([[1.0], [0.0]])
    logprobs, entropy = chosen_logprobs(states, output, torch.tensor([1]), 2.0)
    assert logprobs.tolist() == [-500.0] and entropy.tolist() == [0.0]


def test_a_head_that_does_not_learn_costs_no_gradient() -> None:
    states, output = torch.randn(3, WIDTH, requires_grad=True), torch.randn(VOCAB, WIDTH)
    chosen_logprobs(states, output, torch.tensor([0, 1, 2]), 1.0)[0].sum().backward()
    assert states.grad is not None and output.grad is None


@pytest.mark.parametrize(("most", "waits"), [(COUNT * VOCAB, True), (COUNT * VOCAB - 1, False)])
def test_only_so_much_of_the_logits_waits_for_the_gradient(
    most: int, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", most)
    kept: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    states, output = torch.randn(COUNT, WIDTH, requires_grad=True), torch.randn(VOCAB, WIDTH, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        chosen_logprobs(states, output, torch.randint(VOCAB, (COUNT,)), 1.0)
    assert (max(kept) >= COUNT * VOCAB) == waits
