import random
from collections.abc import Callable
from math import log
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gptwright.models.bert import BERT, BERTConfig
from gptwright.objectives.language import IGNORED
from gptwright.pretraining.masked import MaskedWords
from gptwright.pretraining.task import TaskInputs
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.adamw import AdamW
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.batch_shard import WHOLE
from gptwright.training.optimizer import Optimizer
from gptwright.training.schedules import linear
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

STORIES = [
    ["the", "cat", "sat", "on", "the", "mat", "."],
    ["the", "dog", "ran", "to", "the", "sea", "."],
    ["we", "are", "free", "when", "it", "is", "warm", "."],
]


@pytest.fixture
def task(encoder_network: BERT, wordpiece: Tokenizer, tmp_path: Path) -> MaskedWords:
    return task_for(encoder_network, wordpiece, tmp_path)


def task_for(network: BERT, wordpiece: Tokenizer, folder: Path) -> MaskedWords:
    """Every document says one sentence again and again."""
    dice = random.Random(1)
    texts = [" ".join(dice.choice(STORIES) * 12) for _ in range(30)]
    for name in ("train", "heldout"):
        pack(texts, wordpiece.encode_many, 3, folder / name, wordpiece.vocab, wordpiece.sha256)
    train, heldout = (TokenFile.open(folder / name) for name in ("train", "heldout"))
    return MaskedWords(
        TaskInputs(
            network=network,
            tokenizer=wordpiece,
            train=train,
            heldout=heldout,
            batch_schedule=BatchSizeSchedule(8),
            length=24,
            seed=1,
        )
    )


def test_the_loss_is_that_of_both_heads(task: MaskedWords) -> None:
    pairs, masked = task.batch(5)
    states = task.network.encode(masked.ids, pairs.segments, pairs.lengths)
    words = F.cross_entropy(task.network.masked_logits(states).flatten(0, 1), masked.targets.flatten())
    together = F.cross_entropy(task.network.next_logits(states), 1 - pairs.follows.long())
    torch.testing.assert_close(sum(task.loss(task.batch(5), WHOLE)), words + together, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("step", [5, 9])
def test_pieces_and_shares_add_up(task: MaskedWords, split_as_whole: Callable[..., None], step: int) -> None:
    split_as_whole(task.network, lambda shard: task.loss(task.batch(step), shard))


def test_a_step_is_a_pure_function_of_seed_and_number(task: MaskedWords) -> None:
    (pairs, masked), (again, same) = task.batch(7), task.batch(7)
    assert torch.equal(pairs.ids, again.ids) and torch.equal(masked.ids, same.ids)
    assert not torch.equal(pairs.ids, task.batch(8)[0].ids)


def test_control_tokens_are_never_to_be_found(task: MaskedWords) -> None:
    for step in range(20):
        pairs, masked = task.batch(step)
        chosen = masked.targets != IGNORED
        assert (masked.targets[chosen] > 4).all()
        assert torch.equal(masked.ids[pairs.ids <= 4], pairs.ids[pairs.ids <= 4])
        assert chosen.any(1).all()


def test_every_tenth_step_is_as_long_as_the_context(task: MaskedWords) -> None:
    shapes = [tuple(task.batch(step)[0].ids.shape) for step in range(20)]
    assert shapes == ([(8, 24)] * 9 + [(6, 32)]) * 2
    assert task.tokens(1) == 8 * 24 == 6 * 32
    assert task.epochs(100) == pytest.approx(100 * 192 / len(task.train.tokens))


def test_a_fresh_model_guesses(task: MaskedWords) -> None:
    task.network.initialise(1)
    metrics = task.measure()
    assert metrics["heldout_masked_nats"] == pytest.approx(log(task.network.config.vocab), abs=0.05)
    assert metrics["heldout_masked_accuracy"] < 0.2
    assert 0.4 < metrics["heldout_next_sentence_accuracy"] < 0.6


def test_a_look_shows_what_is_measured(task: MaskedWords) -> None:
    found = task.evaluate(3)
    assert found.metrics.keys() == task.measure().keys()
    assert len(found.samples) == 2
    for sample in found.samples:
        asked, filled = sample.split(" → ")
        assert "[MASK]" in asked and "[MASK]" not in filled and filled
    assert found == task.evaluate(4), "the same held-out text at every step"


def test_masked_words_are_learned_from_what_stands_around_them(wordpiece: Tokenizer, tmp_path: Path) -> None:
    network = BERT(BERTConfig(vocab=wordpiece.vocab, context=32, width=32, heads=4, layers=1))
    network.initialise(1)
    task = task_for(network, wordpiece, tmp_path)
    optimizer = Optimizer(network, AdamW(weight_decay=0.01))
    for _ in train_steps(task, optimizer, linear(1e-2, 250, 20), TrainState(), steps=250):
        pass
    assert task.measure()["heldout_masked_accuracy"] > 0.6, "frequencies alone find less than a third"


def test_a_long_step_has_the_fewest_rows(task: MaskedWords) -> None:
    assert task.fewest_rows == min(len(task.batch(step)[1].ids) for step in range(10))
