"""A slice that is the whole vocabulary; tests/training compares two slices with one process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from gptwright.layers.vocabulary import VocabShard
from gptwright.objectives.language import IGNORED, next_token_loss, token_nats


@pytest.fixture
def vocabulary(tmp_path: Path) -> Iterator[VocabShard]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield VocabShard(0, 11, dist.group.WORLD)
    dist.destroy_process_group()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_loss_of_the_whole(vocabulary: VocabShard, smoothing: float) -> None:
    hidden, output = torch.randn(30, 6, requires_grad=True), torch.randn(11, 6, requires_grad=True)
    targets = torch.randint(11, (30,))
    targets[::4] = IGNORED
    whole = next_token_loss(hidden, output, targets, smoothing, 50)
    sliced = next_token_loss(hidden, output, targets, smoothing, 50, vocabulary)
    torch.testing.assert_close(sliced, whole)
    for found, wanted in zip(torch.autograd.grad(3 * sliced, [hidden, output]),
                             torch.autograd.grad(3 * whole, [hidden, output]), strict=True):  # fmt: skip
        torch.testing.assert_close(found, wanted)


def test_nats_of_each_target(vocabulary: VocabShard) -> None:
    hidden, output, targets = torch.randn(30, 6), torch.randn(11, 6), torch.randint(11, (30,))
    targets[3] = IGNORED
    torch.testing.assert_close(token_nats(hidden, output, targets, vocabulary), token_nats(hidden, output, targets))
