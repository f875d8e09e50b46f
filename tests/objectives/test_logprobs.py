import torch
from torch import Tensor

from gptwright.objectives.logprobs import CHUNK, chosen_logprobs

WIDTH, VOCAB, COUNT = 5, 70, 2 * CHUNK + 3


def test_values_and_gradients_are_those_of_a_categorical_distribution() -> None:
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


def test_nothing_of_the_logits_waits_for_the_gradient() -> None:
    kept: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    states, output = torch.randn(COUNT, WIDTH, requires_grad=True), torch.randn(VOCAB, WIDTH, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        chosen_logprobs(states, output, torch.randint(VOCAB, (COUNT,)), 1.0)
    assert max(kept, default=0) < CHUNK * VOCAB
