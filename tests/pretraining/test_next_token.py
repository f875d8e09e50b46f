from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gptwright.evaluation.perplexity import text_loss
from gptwright.models.gpt2 import GPT2
from gptwright.pretraining.next_token import NextToken
from gptwright.pretraining.task import TaskInputs
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.batch_shard import WHOLE, BatchShard


@pytest.fixture
def task(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> NextToken:
    texts = [f"The cat number {i} sat on the mat and looked at the {i + 1}th dog." for i in range(60)]
    for name in ("train", "heldout"):
        pack(texts, tokenizer.encode_many, 0, tmp_path / name, tokenizer.vocab, tokenizer.sha256)
    train, heldout = (TokenFile.open(tmp_path / name) for name in ("train", "heldout"))
    return NextToken(
        TaskInputs(
            network=network,
            tokenizer=tokenizer,
            train=train,
            heldout=heldout,
            batch_schedule=BatchSizeSchedule(3),
            length=16,
            seed=1,
        )
    )


def test_the_loss_is_the_mean_surprise_of_the_windows(task: NextToken) -> None:
    ids, targets, _ = task.windows.batch(5)
    expected = torch.nn.functional.cross_entropy(task.network(ids).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(sum(task.loss(task.batch(5), WHOLE)), expected, atol=1e-4, rtol=1e-4)
    assert task.tokens(1) == targets.numel() == 48


@pytest.mark.parametrize("step", [0, 7])
def test_pieces_and_shares_add_up(task: NextToken, split_as_whole: Callable[..., None], step: int) -> None:
    assert len(list(task.loss(task.batch(step), BatchShard(micro_batches=2)))) == 2
    split_as_whole(task.network, lambda shard: task.loss(task.batch(step), shard))


def test_by_document_nothing_of_the_one_before_is_seen(task: NextToken) -> None:
    task.separator = 0
    ids, targets, _ = task.windows.batch(5)
    numbers = (ids == 0).cumsum(1)
    assert int(numbers.max()) > 0, "a window holds several documents"
    nats = []
    for row in range(3):
        for number in numbers[row].unique():
            mine = numbers[row] == number
            logits = task.network(ids[row, mine][None])[0]
            nats.append(torch.nn.functional.cross_entropy(logits, targets[row, mine], reduction="sum"))
    torch.testing.assert_close(sum(task.loss(task.batch(5), WHOLE)), sum(nats) / targets.numel(), atol=1e-4, rtol=1e-4)


def test_an_epoch_is_every_window_once(task: NextToken) -> None:
    assert task.epochs(task.windows.count) == pytest.approx(3)


def test_figures_are_those_of_the_held_out_text(task: NextToken) -> None:
    expected = text_loss(task.network, task.heldout, length=16, windows=200)
    assert task.measure() == {"heldout_nats": expected.nats, "heldout_bits_per_byte": expected.bits_per_byte}
    found = task.evaluate(3)
    assert found.metrics.keys() == task.measure().keys()
    assert [text[:8] for text in found.samples] == ["It was a", "The old "]
    assert found == task.evaluate(3)


def test_as_many_processes_can_share_a_step_as_it_has_rows(task: NextToken) -> None:
    assert task.fewest_rows == 3
