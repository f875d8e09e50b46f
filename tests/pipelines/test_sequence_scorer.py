"""A classifier of three classes is one more task for the one loop; it is saved, loaded and asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import gptwright
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier, RewardModel
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load, load_decoder
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.evaluation import Evaluation
from gptwright.training.optimizer import Optimizer
from gptwright.training.task import Task
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

ANIMALS = ("cat", "dog", "sea")
FILLING = ["the", "we", "like", "to", "sat", "on", "when", "it", "is", "warm"]


@dataclass(frozen=True)
class Labelled:
    ids: list[list[int]]
    classes: list[int]

    @property
    def rows(self) -> int:
        return len(self.ids)


class Classification(Task[Labelled]):
    """Which animal is it that the sentence speaks of?"""

    def __init__(self, model: Classifier, tokenizer: Tokenizer, rows: int = 16) -> None:
        self.model, self.tokenizer, self.size = model, tokenizer, rows

    def batch(self, step: int) -> Labelled:
        random = Random(step)
        classes = [random.randrange(3) for _ in range(self.size)]
        return Labelled([self.tokenizer.encode(sentence(random, one)) for one in classes], classes)

    def logits(self, batch: Labelled, rows: slice = slice(None)) -> Tensor:
        ids = batch.ids[rows]
        return self.model(padded(ids, 0), torch.tensor([len(row) - 1 for row in ids]))

    def loss(self, batch: Labelled, shard: BatchShard) -> Iterator[Tensor]:
        for rows in shard.slices(batch.rows):
            classes = torch.tensor(batch.classes[rows])
            yield F.cross_entropy(self.logits(batch, rows), classes, reduction="sum") / batch.rows

    def evaluate(self, step: int) -> Evaluation:
        batch = self.batch(-1 - step)
        right = self.logits(batch).argmax(-1) == torch.tensor(batch.classes)
        return Evaluation(metrics={"heldout_accuracy": float(right.float().mean())})


def sentence(random: Random, one: int) -> str:
    words = random.choices(FILLING, k=6)
    words[random.randrange(6)] = ANIMALS[one]
    return " ".join(words)


@pytest.fixture
def classifier(network: GPT2) -> Classifier:
    model = GPT2(network.config)
    model.initialise(1)
    return Classifier(model, ANIMALS)


def test_three_classes_are_learned_saved_loaded_and_asked(
    classifier: Classifier, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    task = Classification(classifier, tokenizer)
    before = task.evaluate(0).metrics["heldout_accuracy"]
    optimizer = Optimizer(classifier, AdamW(weight_decay=0.0))
    losses = [step.loss for step in train_steps(task, optimizer, lambda step: 3e-3, TrainState(), steps=60)]
    assert losses[0] == pytest.approx(1.0986, abs=1e-4)  # ln 3: it cannot tell yet
    assert before < 0.7 and task.evaluate(0).metrics["heldout_accuracy"] > 0.9
    export(classifier, tokenizer, tmp_path / "model")
    found = gptwright.load(tmp_path / "model")
    assert isinstance(found, SequenceScorer) and found.labels == ANIMALS
    asked = found.classify("we like the dog when it is warm")
    assert max(asked, key=lambda label: asked[label]) == "dog" and sum(asked.values()) == pytest.approx(1.0)


def test_micro_batches_and_shards_of_it_add_up(classifier: Classifier, tokenizer: Tokenizer) -> None:
    task = Classification(classifier, tokenizer)
    torch.nn.init.normal_(classifier.head.score.weight)  # pyright: ignore
    whole = sum(task.loss(task.batch(3), WHOLE))
    parts = [part for rank in (0, 1) for part in task.loss(task.batch(3), BatchShard(rank, 2, 3))]
    assert len(parts) == 6
    torch.testing.assert_close(sum(parts), whole)


def test_rows_are_read_by_themselves(network: GPT2, tokenizer: Tokenizer) -> None:
    model = Classifier(network, ANIMALS)
    torch.nn.init.normal_(model.head.score.weight)  # pyright: ignore
    scorer = SequenceScorer(model, tokenizer, "animals")
    rows = [[5, 6, 7], [9], [5] * 64, *([[8, 9]] * 40)]
    found = scorer.logits(rows)
    for row, logits in zip(rows[:4], found, strict=False):
        torch.testing.assert_close(logits, model(torch.tensor([row]), torch.tensor([len(row) - 1]))[0])
    assert scorer.logits([]).shape == (0, 3)
    for wrong in ([], [5] * 65):
        with pytest.raises(InputError, match="texts of 1 to 64 tokens"):
            scorer.logits([wrong])


def test_a_reward_model_opens_and_scores(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = RewardModel(network)
    torch.nn.init.normal_(model.head.score.weight)
    export(model, tokenizer, tmp_path / "reward")
    scorer = load(tmp_path / "reward")
    assert isinstance(scorer, SequenceScorer)
    (scores,) = scorer.scores(["the cat"])
    ids = tokenizer.encode("the cat")
    expected = model(torch.tensor([ids]), torch.tensor([len(ids) - 1])).detach()
    assert scores == {"reward": pytest.approx(float(expected))}
    with pytest.raises(InputError, match="a classifier"):
        scorer.classify("the cat")
    with pytest.raises(ArtifactError, match="got a reward model, which scores answers and writes none"):
        load_decoder(tmp_path / "reward")


def test_a_classifier_writes_nothing_and_says_so(classifier: Classifier, tokenizer: Tokenizer, tmp_path: Path) -> None:
    export(classifier, tokenizer, tmp_path / "model")
    with pytest.raises(ArtifactError, match=r"a decoder in .*; got a classifier of 3 classes, which writes nothing"):
        load_decoder(tmp_path / "model")
