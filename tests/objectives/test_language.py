from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gptwright.objectives.language import CHUNK, IGNORED, next_token_loss, token_nats

WIDTH, VOCAB = 6, 11


def material(count: int) -> tuple[Tensor, Tensor, Tensor]:
    hidden = torch.randn(count, WIDTH, requires_grad=True)
    return hidden, torch.randn(VOCAB, WIDTH, requires_grad=True), torch.randint(VOCAB, (count,))


@pytest.mark.parametrize(
    ("count", "ignoring", "smoothing"),
    product([1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5], [False, True], [0.0, 0.1, 1.0]),
)
def test_value_and_gradients_are_those_of_cross_entropy(count: int, ignoring: bool, smoothing: float) -> None:
    hidden, output, targets = material(count)
    if ignoring:
        targets[1::3] = IGNORED
    ours = next_token_loss(hidden, output, targets, smoothing)
    theirs = F.cross_entropy(hidden @ output.T, targets, ignore_index=IGNORED, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    # Three times the loss: the gradient that comes from above is respected.
    for mine, other in zip(
        torch.autograd.grad(3 * ours, [hidden, output]), torch.autograd.grad(3 * theirs, [hidden, output]), strict=True
    ):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("rows", [3, 300])
def test_weights_are_those_of_single_targets(rows: int) -> None:
    """As GPT-1's fine-tuning has them: the mean over each row's real tokens, then over rows."""
    hidden, output, _ = material(rows * 8)
    targets = torch.randint(VOCAB, (rows, 8))
    for row, ends in enumerate(torch.randint(2, 8, (rows,)).tolist()):
        targets[row, ends:] = IGNORED
    lengths = (targets != IGNORED).sum(1, keepdim=True)
    ours = next_token_loss(
        hidden.view(rows, 8, WIDTH), output, targets, count=rows, weights=(1 / lengths).expand(-1, 8)
    )
    each = [
        F.cross_entropy(h @ output.T, t, ignore_index=IGNORED) for h, t in zip(hidden.split(8), targets, strict=True)
    ]
    theirs = torch.stack(each).mean()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    gradients = [torch.autograd.grad(2 * loss, [hidden, output], retain_graph=True) for loss in (ours, theirs)]
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-4)


def test_rows_and_a_tied_matrix() -> None:
    weight = torch.randn(VOCAB, WIDTH, requires_grad=True)
    ids, targets = torch.randint(VOCAB, (3, 7)), torch.randint(VOCAB, (3, 7))

    def gradient(loss: Tensor) -> Tensor:
        return torch.autograd.grad(loss, weight, retain_graph=True)[0]

    hidden = F.embedding(ids, weight).tanh()
    ours = next_token_loss(hidden, weight, targets)
    theirs = F.cross_entropy((hidden @ weight.T).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradient(ours), gradient(theirs), atol=1e-6, rtol=1e-4)


def test_nothing_to_learn_is_nought_and_moves_nothing() -> None:
    hidden, output, _ = material(4)
    loss = next_token_loss(hidden, output, torch.full((4,), IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None and output.grad is not None
    assert not hidden.grad.any() and not output.grad.any()


def test_a_frozen_trunk_and_a_frozen_output() -> None:
    hidden, output, targets = material(5)
    next_token_loss(hidden.detach(), output, targets).backward()
    next_token_loss(hidden, output.detach(), targets).backward()
    assert hidden.grad is not None and output.grad is not None
    with torch.no_grad():
        assert not next_token_loss(hidden, output, targets).requires_grad


def test_by_hand() -> None:
    # Logits 0 and ln 3: probabilities ¼ and ¾; targets 1 and 0 cost ln 4/3 and ln 4.
    hidden, output = torch.ones(2, 1), torch.tensor([[1.0], [3.0]]).log()
    assert next_token_loss(hidden, output, torch.tensor([1, 0])).item() == pytest.approx(
        (0.287682 + 1.386294) / 2, abs=1e-5
    )
    torch.testing.assert_close(
        token_nats(hidden, output, torch.tensor([1, IGNORED])), torch.tensor([0.287682, 0.0]), atol=1e-5, rtol=0
    )


def test_smoothing_by_hand() -> None:
    # Logits 0 and ln 3 again: -ln p is 1.386294 and 0.287682, so their mean 0.836988.
    hidden, output = torch.ones(3, 1), torch.tensor([[1.0], [3.0]]).log()
    for target, nats in ((0, 0.9 * 1.386294 + 0.1 * 0.836988), (1, 0.9 * 0.287682 + 0.1 * 0.836988)):
        loss = next_token_loss(hidden, output, torch.tensor([target, IGNORED, IGNORED]), 0.1)
        assert loss.item() == pytest.approx(nats, abs=1e-5)
    assert next_token_loss(hidden, output, torch.full((3,), IGNORED), 0.1).item() == 0


def test_the_smoothed_gradient_by_hand() -> None:
    # p - q with p = (0.25, 0.75) and q = (0.05, 0.95) for target 1; the state is 1, so the output's gradient is that.
    output = torch.tensor([[1.0], [3.0]]).log().requires_grad_()
    next_token_loss(torch.ones(1, 1), output, torch.tensor([1]), 0.1).backward()
    assert output.grad is not None
    torch.testing.assert_close(output.grad, torch.tensor([[0.20], [-0.20]]))


def test_a_smoothed_loss_is_least_where_the_model_is_the_wanted_distribution() -> None:
    output = torch.tensor([[0.05], [0.95]]).log().requires_grad_()
    loss = next_token_loss(torch.ones(1, 1), output, torch.tensor([1]), 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(0.198515, abs=1e-5), "its entropy"
    assert output.grad is not None and output.grad.abs().max() < 1e-6


def test_bfloat16_states_keep_a_float32_gradient_of_the_output() -> None:
    hidden, output, targets = material(300)
    next_token_loss(hidden.bfloat16(), output, targets).backward()
    exact = torch.autograd.grad(F.cross_entropy(hidden @ output.T, targets), output)[0]
    assert output.grad is not None and output.grad.dtype == torch.float32
    torch.testing.assert_close(output.grad, exact, atol=5e-3, rtol=0.05)


def test_the_nats_of_every_target_over_chunk_borders() -> None:
    hidden, output, targets = material(CHUNK + 3)
    with torch.no_grad():
        expected = F.cross_entropy(hidden @ output.T, targets, reduction="none")
        torch.testing.assert_close(token_nats(hidden, output, targets), expected, atol=1e-5, rtol=1e-5)


class Largest(TorchDispatchMode):
    """Notes the most numbers that any tensor of a program held."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                self.numbers = max(self.numbers, tensor.numel())
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_of_a_whole_batch_never_exist(dtype: torch.dtype) -> None:
    vocab, count = 300, 4 * CHUNK
    hidden = torch.randn(count, WIDTH, dtype=dtype, requires_grad=True)
    output = torch.randn(vocab, WIDTH, requires_grad=True)
    with Largest() as largest:
        next_token_loss(hidden, output, torch.randint(vocab, (count,)), 0.1).backward()
    assert largest.numbers == CHUNK * vocab


def test_a_frozen_side_changes_nothing_for_the_other() -> None:
    hidden, output, targets = material(5)
    both = torch.autograd.grad(3 * next_token_loss(hidden, output, targets), [hidden, output])
    for learns, gradient in zip((hidden, output), both, strict=True):
        given = [x if x is learns else x.detach() for x in (hidden, output)]
        alone = torch.autograd.grad(3 * next_token_loss(*given, targets), learns)[0]
        assert torch.equal(alone, gradient)
