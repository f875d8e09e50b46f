from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from gptwright.training.optimise import Step, optimise
from gptwright.training.optimizer import Optimizer
from gptwright.training.share import Share

DATA = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))


def run(parts: int, first: int = 0) -> tuple[nn.Linear, list[Step]]:
    model = nn.Linear(3, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)

    def losses(step: int, share: Share) -> Iterator[Tensor]:
        for rows in share.slices(len(DATA)):
            yield model(DATA[rows] + step).square().sum() / len(DATA)

    return model, list(
        optimise(
            Optimizer(model.named_parameters()),
            losses,
            lambda step: 0.1 / (step + 1),
            first=first,
            steps=5,
            share=Share(pieces=parts),
        )
    )


def test_parts_of_a_batch_add_up_to_the_batch() -> None:
    (whole, steps), (parted, same) = run(1), run(4)
    for a, b in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    for one, two in zip(steps, same, strict=True):
        assert one.loss == pytest.approx(two.loss)
        assert one.gradient_norm == pytest.approx(two.gradient_norm)


def test_steps_say_what_happened() -> None:
    _, steps = run(2, first=2)
    assert [step.number for step in steps] == [3, 4, 5]
    assert [step.rate for step in steps] == pytest.approx([0.1 / 3, 0.1 / 4, 0.1 / 5])


def test_a_caller_may_stop_between_steps() -> None:
    model = nn.Linear(1, 1)
    asked: list[int] = []

    def losses(step: int, share: Share) -> Iterator[Tensor]:
        asked.append(step)
        yield model(torch.ones(1, 1)).sum()

    for step in optimise(Optimizer(model.named_parameters()), losses, lambda step: 0.1, first=0, steps=100):
        if step.number == 3:
            break
    assert asked == [0, 1, 2]
