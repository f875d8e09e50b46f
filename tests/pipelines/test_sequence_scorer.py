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
from gptwright.models.bert import BERT
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier, RewardModel, with_head
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load, load_decoder
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.task_shapes import TaskShape
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


def test_pairs_and_choices_are_asked_as_the_shape_has_them(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    for name, labels in (("similarity", ("no", "yes")), ("multiple-choice", ("choice",))):
        shape = TaskShape(name=name, both_orders=name == "similarity")
        grown = tokenizer.with_additional(shape.tokens)
        model = with_head(with_new_tokens(network, shape.marks(grown), 1), labels, shape)
        torch.nn.init.normal_(model.head.score.weight)  # pyright: ignore
        export(model, grown, tmp_path / name)
    alike, choosing = load(tmp_path / "similarity"), load(tmp_path / "multiple-choice")
    assert isinstance(alike, SequenceScorer) and isinstance(choosing, SequenceScorer)
    assert alike.shape == TaskShape(name="similarity", both_orders=True) and alike.labels == ("no", "yes")
    assert alike.classify("the cat", "a dog") == pytest.approx(alike.classify("a dog", "the cat"), rel=1e-4)
    states = alike.network.states(*_batch(alike.rows("the cat", "a dog")))
    expected = alike.network.head(states.sum(0)).softmax(-1).tolist()  # added before the linear layer
    assert list(alike.classify("the cat", "a dog").values()) == pytest.approx(expected, rel=1e-4)
    chances = choosing.choose("the cat", ["sat on the mat", "ran", "is the sea"])
    logits = choosing.network(*_batch(choosing.rows("the cat", "sat on the mat", "ran", "is the sea")))[:, 0]
    assert chances == pytest.approx(logits.softmax(-1).tolist(), rel=1e-4)
    with pytest.raises(InputError, match="two texts, for similarity; got 1"):
        alike.classify("the cat")
    with pytest.raises(InputError, match="a model of multiple-choice"):
        alike.choose("the cat", ["a", "b"])
    with pytest.raises(InputError, match="a model that chooses among answers"):
        choosing.classify("the cat", "a", "b")
    for ask in (alike.chat, choosing.generate):
        with pytest.raises(InputError, match=r"a model that writes; got .*, which writes n"):
            ask("hello")


def _batch(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    return padded(rows, 0), torch.tensor([len(row) - 1 for row in rows])


def test_numbers_come_in_the_units_that_were_taught(network: GPT2, tokenizer: Tokenizer) -> None:
    shape = TaskShape(name="similarity", both_orders=True, middle=2.5, spread=1.5)
    grown = tokenizer.with_additional(shape.tokens)
    model = with_head(with_new_tokens(network, shape.marks(grown), 1), ("similarity",), shape)
    scorer = SequenceScorer(model, grown, "alike")
    assert scorer.scores([("the cat", "a dog")]) == [{"similarity": 2.5}]  # a head of zeros: the mean
    torch.nn.init.normal_(model.head.score.weight)  # pyright: ignore
    number = model(*_batch(scorer.rows("the cat", "a dog"))).detach().sum()
    assert scorer.scores([("the cat", "a dog")])[0]["similarity"] == pytest.approx(2.5 + 1.5 * float(number), rel=1e-4)
    assert scorer.kind == "a model that gives texts a number, which writes nothing"


def test_an_encoder_of_another_tool_is_asked_one_text_or_two(encoder_network: BERT, wordpiece: Tokenizer) -> None:
    model = with_head(encoder_network, ("no", "yes"))
    torch.nn.init.normal_(model.head.score.weight)  # pyright: ignore
    scorer = SequenceScorer(model, wordpiece, "pairs")
    cls, sep = (wordpiece.special_id(name) for name in ("[CLS]", "[SEP]"))
    one, other = wordpiece.encode("the cat"), wordpiece.encode("a dog")
    assert scorer.rows("the cat") == [[cls, *one, sep]]
    ids = torch.tensor([[cls, *one, sep, *other, sep]])
    assert scorer.rows("the cat", "a dog") == ids.tolist()
    which = torch.tensor([[0] * (len(one) + 2) + [1] * (len(other) + 1)])
    expected = model(ids, torch.tensor([ids.shape[1] - 1]), which).softmax(-1)[0].tolist()
    assert list(scorer.classify("the cat", "a dog").values()) == pytest.approx(expected, rel=1e-4)
