"""L2 + λ·L1 by hand, shared dropout, parts that add up, and what is learned: the truth, not what is no truth."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gptwright.foundations.intake import Intake
from gptwright.models.bert import BERT
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import with_head
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tasks.finetune import ExampleIds, FinetuneTask, encoded
from gptwright.tasks.labelled_examples import Example, Kind, LabelledData
from gptwright.tokenizers.task_shapes import TaskShape
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.optimizer import Optimizer
from gptwright.training.task import Task
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

WORDS = ["the", "cat", "dog", "sea", "mat", "ran", "sat", "we", "like", "warm"]
TEXTS = [
    ("the cat sat", "the dog ran to the sea"),
    ("we like", "warm"),
    ("we", "the mat and the cat"),
    ("a", "sea sea"),
]


def scorer(network: Any, tokenizer: Tokenizer, name: str, labels: Sequence[str], noise: float = 0.3) -> SequenceScorer:
    """A decoder or an encoder under a head whose every number shows."""
    if isinstance(network, BERT):
        shape = TaskShape.of_encoder(name)
    else:
        shape = TaskShape(name=name, both_orders=name == "similarity")
        tokenizer = tokenizer.with_additional(shape.tokens)
        network = with_new_tokens(network, shape.marks(tokenizer), 1)
    model = with_head(network, labels, shape)
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, 0.0, noise)
    return SequenceScorer(model.requires_grad_(True), tokenizer, "test")


def task(
    scored: SequenceScorer, data: LabelledData, *, lm_weight: float = 0.5, dropout: float = 0.0, rows: int = 3
) -> FinetuneTask:
    assert scored.shape
    train, heldout = (
        encoded(side, data, scored.shape, scored.tokenizer, scored.context, Intake("test"))
        for side in (data.train, data.heldout)
    )
    return FinetuneTask(scored, data.kind, train, heldout, rows=rows, seed=3, lm_weight=lm_weight, dropout=dropout)


def data_of(
    kind: Kind, texts: Sequence[tuple[str, ...]], labels: Sequence[str | tuple[str, ...]], names: Sequence[str]
) -> LabelledData:
    examples = [Example(words, label, "here") for words, label in zip(texts, labels, strict=True)]
    return LabelledData(kind, tuple(names), examples, examples)


PAIRS = data_of("class", TEXTS, ["no", "yes", "no", "maybe"], ["no", "maybe", "yes"])
SINGLE = data_of("class", [(second,) for _, second in TEXTS], ["b", "a", "b", "a"], ["a", "b"])
NUMBERS = data_of("number", TEXTS, ["0.5", "1", "-2", "0"], ["similarity"])
CHOICES = data_of("choice", [("the cat", "sat", "ran to the sea"), ("we", "like", "warm", "the mat"), ("a", "b", "c")],
                  ["1", "2", "0"], ["choice"])  # fmt: skip
SEVERAL = data_of("labels", [(second,) for _, second in TEXTS], [("a", "b"), (), ("b",), ("c", "a")], ["a", "b", "c"])
CASES = {"classification": SINGLE, "entailment": PAIRS, "similarity": NUMBERS, "multiple-choice": CHOICES}


def by_hand(learner: FinetuneTask, example: ExampleIds, mask: torch.Tensor, lm_weight: float) -> torch.Tensor:
    """The loss of one example, a row at a time, without padding."""
    model, states, nats = learner.model, [], []
    for row in example.rows:
        ids = torch.tensor([row])
        hidden = model.trunk.hidden(ids)[0]
        states.append(hidden[-1] * mask)
        nats.append(F.cross_entropy(model.trunk.logits(hidden[:-1]), ids[0, 1:]))
    weight = model.head.score.weight
    if learner.kind == "choice":
        task_loss = F.cross_entropy((torch.stack(states) @ weight[0])[None], torch.tensor([int(example.target)]))
    elif learner.kind == "number":
        task_loss = (sum(states) @ weight[0] - example.target) ** 2
    else:
        task_loss = F.cross_entropy((sum(states) @ weight.T)[None], torch.tensor([int(example.target)]))
    return task_loss + lm_weight * torch.stack(nats).mean()


@pytest.mark.parametrize("shape", CASES)
@pytest.mark.parametrize("lm_weight", [0.0, 0.5])
def test_the_loss_is_the_papers(network: GPT2, tokenizer: Tokenizer, shape: str, lm_weight: float) -> None:
    data = CASES[shape]
    learner = task(scorer(network, tokenizer, shape, data.labels), data, lm_weight=lm_weight, dropout=0.3)
    batch = learner.batch(0)
    ours = sum(learner.loss(batch, WHOLE))
    theirs = [by_hand(learner, example, mask, lm_weight) for example, mask in zip(*batch, strict=True)]
    torch.testing.assert_close(ours, torch.stack(theirs).mean(), atol=1e-5, rtol=1e-5)


def test_labels_of_which_several_are_true_are_learned_each_by_itself(network: GPT2, tokenizer: Tokenizer) -> None:
    learner = task(scorer(network, tokenizer, "classification", SEVERAL.labels), SEVERAL, rows=4)
    assert [example.target.tolist() for example in learner.train] == [[1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 1]]
    batch, answers = learner.batch(0), {id(e): a for e, a in zip(learner.heldout, learner.answers(), strict=True)}
    nats = 0.0
    for example, logits in zip(learner.heldout, answers.values(), strict=True):
        chances = logits.sigmoid()
        nats -= float(torch.where(example.target == 1, chances, 1 - chances).log().sum())
    assert learner.evaluate(0).metrics["heldout_nats"] == pytest.approx(nats / 4, rel=1e-4)
    assert batch.rows == 4
    plain = task(learner.scorer, SEVERAL, lm_weight=0.0, rows=4)
    assert float(sum(plain.loss(plain.batch(0), WHOLE)).detach()) == pytest.approx(nats / 4, rel=1e-4)


def test_thresholds_are_those_of_the_best_f1_and_say_on_what(network: GPT2, tokenizer: Tokenizer) -> None:
    learner = task(scorer(network, tokenizer, "classification", SEVERAL.labels), SEVERAL)
    learner.scorer.network.several = True
    logits = torch.tensor([[2.0, -1.0, 0.0], [1.0, -3.0, 0.0], [-2.0, -2.0, 0.0], [3.0, -3.0, -1.0]])
    found = learner.thresholds(list(logits), ["c"])
    assert (
        found.neutral == ("c",) and found.measured_on == "4 held-out examples" and set(found.thresholds) == {"a", "b"}
    )
    assert found.f1 == {"a": 1.0, "b": 1.0}
    middle = logits.sigmoid()
    assert found.thresholds["a"] == pytest.approx(float(middle[0, 0] + middle[1, 0]) / 2)
    assert found.thresholds["b"] == pytest.approx(float(middle[2, 1] + middle[1, 1]) / 2)
    labels = ("a", "b", "never")
    single = task(scorer(network, tokenizer, "classification", labels), replace(SINGLE, labels=labels))
    assert set(single.thresholds(list(logits), []).thresholds) == {"a", "b"}, "what is never true has none"


@pytest.mark.parametrize("shape", CASES)
def test_micro_batches_add_up(
    network: GPT2, tokenizer: Tokenizer, shape: str, split_as_whole: Callable[..., None]
) -> None:
    learner = task(scorer(network, tokenizer, shape, CASES[shape].labels), CASES[shape], dropout=0.1, rows=5)
    batch = learner.batch(2)
    split_as_whole(learner.model, lambda shard: learner.loss(batch, shard))


def test_an_encoders_loss_and_micro_batches(
    encoder_network: BERT, wordpiece: Tokenizer, split_as_whole: Callable[..., None]
) -> None:
    learner = task(scorer(encoder_network, wordpiece, "entailment", PAIRS.labels), PAIRS, rows=4)
    assert learner.lm_weight == 0.0
    batch = learner.batch(0)
    split_as_whole(learner.model, lambda shard: learner.loss(batch, shard))
    nats: list[torch.Tensor] = []
    for (row,), target in batch.examples:
        second = row.index(wordpiece.special_id("[SEP]")) + 1
        which = torch.tensor([[0] * second + [1] * (len(row) - second)])
        pooled = encoder_network.pooled(encoder_network.encode(torch.tensor([row]), which))
        nats.append(F.cross_entropy(learner.model.head(pooled), torch.tensor([int(target)])))
    torch.testing.assert_close(sum(learner.loss(batch, WHOLE)), torch.stack(nats).mean(), atol=1e-5, rtol=1e-5)


def test_dropout_is_a_function_of_the_step_and_keeps_the_mean(network: GPT2, tokenizer: Tokenizer) -> None:
    learner = task(scorer(network, tokenizer, "entailment", PAIRS.labels), PAIRS, dropout=0.25, rows=200)
    first, again, other = (learner.batch(step).kept for step in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert {round(value, 4) for value in first.unique().tolist()} == {0.0, 1.3333}
    assert float(first.mean()) == pytest.approx(1.0, abs=0.03)
    plain = task(scorer(network, tokenizer, "entailment", PAIRS.labels), PAIRS)
    assert plain.batch(0).kept.unique().tolist() == [1.0]


def test_what_is_too_long_is_cut_and_counted(network: GPT2, tokenizer: Tokenizer) -> None:
    scored = scorer(network, tokenizer, "entailment", PAIRS.labels)
    long = replace(PAIRS.train[0], texts=("the cat " * 99, "sat"))
    intake = Intake("test")
    assert scored.shape
    found = encoded([long, PAIRS.train[1]], PAIRS, scored.shape, scored.tokenizer, scored.context, intake)
    assert dict(intake.shortened.counts) == {"to the 64 tokens of the context": 1}
    assert len(found[0].rows[0]) == 64
    learner = FinetuneTask(scored, "class", found, found, rows=2, seed=1, lm_weight=0.5, dropout=0.0)
    assert torch.isfinite(sum(learner.loss(learner.batch(0), WHOLE)))  # type: ignore[arg-type]


def sentences(count: int, seed: int, label: Callable[[Random, list[str]], str]) -> list[Example]:
    dice = Random(seed)
    found: list[Example] = []
    for _ in range(count):
        words = dice.choices(WORDS[3:], k=4)
        words[dice.randrange(4)] = dice.choice(("cat", "dog"))
        found.append(Example((" ".join(words),), label(dice, words), "here"))
    return found


def trained(scored: SequenceScorer, data: LabelledData) -> FinetuneTask:
    learner = task(scored, data, rows=16, dropout=0.1)
    optimizer = Optimizer(learner.model, AdamW(weight_decay=0.01))
    list(train_steps(learner, optimizer, lambda step: 2e-3, TrainState(), steps=60))
    return learner


def test_a_truth_in_the_text_is_learned_and_permuted_labels_are_not(tokenizer: Tokenizer, network: GPT2) -> None:
    fresh = GPT2(network.config)
    fresh.initialise(1)

    def right(dice: Random, words: list[str]) -> str:
        return "cat" if "cat" in words else "dog"

    def permuted(dice: Random, words: list[str]) -> str:
        return dice.choice(("cat", "dog"))

    shares: list[float] = []
    for label in (right, permuted):
        data = LabelledData("class", ("cat", "dog"), sentences(160, 1, label), sentences(200, 2, label))
        learner = trained(scorer(fresh, tokenizer, "classification", data.labels, noise=0.0), data)
        assert isinstance(learner, Task)
        found = learner.evaluate(60)
        accuracy = found.estimates["accuracy"]
        assert set(found.estimates) == {"accuracy", "macro_f1", "matthews", "f1"} and accuracy.count == 200
        shares.append(accuracy.value)
    assert shares[0] > 0.97 and 0.4 < shares[1] < 0.6


def test_evaluation_says_what_the_scorer_says(network: GPT2, tokenizer: Tokenizer) -> None:
    for shape, data in CASES.items():
        scored = scorer(network, tokenizer, shape, data.labels)
        found = task(scored, data).evaluate(0)
        if shape == "multiple-choice":
            chosen = [scored.choose(e.texts[0], e.texts[1:]) for e in data.heldout]
            right = [
                max(range(len(p)), key=p.__getitem__) == int(data.target(e))
                for p, e in zip(chosen, data.heldout, strict=True)
            ]
            assert found.estimates["accuracy"].value == sum(right) / len(right)
        elif shape == "similarity":
            assert set(found.estimates) == {"pearson", "spearman"} and "heldout_squared_error" in found.metrics
        else:
            asked = [scored.classify(*e.texts) for e in data.heldout]
            nats = [-torch.tensor(p[e.label]).log() for p, e in zip(asked, data.heldout, strict=True)]
            assert found.metrics["heldout_nats"] == pytest.approx(float(torch.stack(nats).mean()), abs=1e-4)


def test_a_shard_has_its_own_rows(network: GPT2, tokenizer: Tokenizer) -> None:
    learner = task(scorer(network, tokenizer, "multiple-choice", CHOICES.labels), CHOICES)
    parts = list(learner.loss(learner.batch(0), BatchShard(1, 2, 1)))
    assert len(parts) == 1
