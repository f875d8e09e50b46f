from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.objectives.language import IGNORED
from gptwright.pretraining.translation_batches import PairBatch, PairBatches
from gptwright.text.pack import TokenFile, pack

START, END = 7, 3
Pair = tuple[list[int], list[int]]


def packed(pairs: list[Pair], folder: Path, *, marked: bool = True) -> TokenFile:
    """Texts are numbers already."""
    documents = [" ".join(map(str, ids)) for pair in pairs for ids in pair]
    pack(documents, lambda texts: [[int(n) for n in text.split()] for text in texts], END, folder / "t", 100, "x",
         pairs=marked)  # fmt: skip
    return TokenFile.open(folder / "t")


def some(count: int, longest: int = 40) -> list[Pair]:
    """Every pair begins with its own number, on both sides, so that a test can follow it."""
    random = np.random.default_rng(count)
    return [
        tuple([10 + i % 80, *random.integers(10, 90, random.integers(0, longest)).tolist()] for _ in range(2))  # type: ignore[misc]
        for i in range(count)
    ]


def read_back(batch: PairBatch) -> list[Pair]:
    """The pairs of a batch, once all that must hold for a batch was seen to hold."""
    assert batch.source.shape[0] == batch.inputs.shape[0] and batch.inputs.shape == batch.targets.shape
    found: list[Pair] = []
    for source, length, inputs, targets in zip(
        batch.source.tolist(), batch.lengths.tolist(), batch.inputs.tolist(), batch.targets.tolist(), strict=True
    ):
        real = targets.index(IGNORED) if IGNORED in targets else len(targets)
        assert source[length - 1] == END and not any(source[length:])
        assert targets[real - 1] == END and set(targets[real:]) <= {IGNORED}
        assert inputs[:real] == [START, *targets[: real - 1]] and not any(inputs[real:])
        found.append((source[: length - 1], targets[: real - 1]))
    return found


def batches_of(pairs: list[Pair], folder: Path, budget: int = 160, context: int = 64, seed: int = 1) -> PairBatches:
    return PairBatches(packed(pairs, folder), start=START, budget=budget, context=context, seed=seed)


def test_an_epoch_is_every_pair_once_and_another_epoch_mixes_them_anew(tmp_path: Path) -> None:
    pairs = some(70)
    batches = batches_of(pairs, tmp_path)
    epochs = [[read_back(batches.batch(step + e * batches.count)) for step in range(batches.count)] for e in (0, 1)]
    for epoch in epochs:
        assert sorted(pair for batch in epoch for pair in batch) == sorted(pairs)
    assert epochs[0] != epochs[1]
    assert sorted(map(len, epochs[0])) == sorted(map(len, epochs[1])), "batches of the same sizes"
    grouped = [{frozenset(pair[0][0] for pair in batch) for batch in epoch} for epoch in epochs]
    assert grouped[0] != grouped[1], "other pairs together"


def test_batches_are_a_pure_function_of_seed_and_step(tmp_path: Path) -> None:
    one, two = (batches_of(some(70), tmp_path) for _ in range(2))
    steps = [5, 0, 3 * one.count + 2, 5]
    expected = {step: read_back(one.batch(step)) for step in sorted(steps)}
    assert [read_back(two.batch(step)) for step in steps] == [expected[step] for step in steps]
    assert read_back(batches_of(some(70), tmp_path, seed=2).batch(5)) != expected[5]


def test_no_batch_is_beyond_its_budget_and_widths_are_multiples_of_8(tmp_path: Path) -> None:
    batches = batches_of(some(200), tmp_path, budget=160)
    cells: list[int] = []
    for batch in batches.in_order():
        for side in (batch.source, batch.inputs):
            assert side.numel() <= 160 and side.shape[1] % 8 == 0
        cells.append(batch.inputs.numel())
    assert sum(cells) / len(cells) > 80, "and most are well filled"


def test_little_is_padding(tmp_path: Path) -> None:
    batches = batches_of(some(400), tmp_path, budget=640)
    real = sum(int((batch.targets != IGNORED).sum()) for batch in batches.in_order())
    assert real / sum(batch.targets.numel() for batch in batches.in_order()) > 0.75


def test_pairs_beyond_the_context_are_counted_and_left_out(tmp_path: Path) -> None:
    long = list(range(10, 26))
    pairs = [(long[:15], [1]), ([1], long[:15]), (long, [1]), ([1], long)]
    batches = batches_of(pairs, tmp_path, context=16)
    assert (len(batches.pairs), batches.left_out) == (2, 2)
    assert sorted(pair for batch in batches.in_order() for pair in read_back(batch)) == sorted(pairs[:2])
    assert all(batch.source.shape[1] <= 16 for batch in batches.in_order())
    with pytest.raises(InputError, match="1 longer ones"):
        batches_of([(long, [1])], tmp_path, context=16)


def test_a_width_never_passes_a_context_that_is_no_multiple_of_8(tmp_path: Path) -> None:
    batches = batches_of([([1] * 12, [2] * 12)], tmp_path, context=13)
    assert batches.batch(0).source.shape == batches.batch(0).inputs.shape == (1, 13)


def test_a_pair_larger_than_the_budget_is_a_batch_of_its_own(tmp_path: Path) -> None:
    batches = batches_of(some(5), tmp_path, budget=1)
    assert batches.count == 5 and len(batches.batch(3).lengths) == 1


def test_running_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="--pairs"):
        PairBatches(packed(some(3), tmp_path, marked=False), start=START, budget=9, context=64, seed=1)


def test_a_pair_by_its_place(tmp_path: Path) -> None:
    pairs = some(9)
    batches = batches_of(pairs, tmp_path)
    assert [batches.pair(i) for i in range(9)] == [([*source, END], target) for source, target in pairs]


def test_empty_texts_are_pairs_too(tmp_path: Path) -> None:
    batch = batches_of([([], [])], tmp_path).batch(0)
    assert batch.lengths.tolist() == [1]
    assert torch.equal(batch.targets[0, :2], torch.tensor([END, IGNORED]))


@given(st.lists(st.tuples(*[st.lists(st.integers(10, 20), max_size=20)] * 2), min_size=1, max_size=30),
       st.integers(1, 200), st.integers(0, 99))  # fmt: skip
def test_whatever_the_pairs_every_epoch_has_each_once(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[Pair], budget: int, seed: int
) -> None:
    batches = batches_of(pairs, tmp_path_factory.mktemp("pairs"), budget=budget, context=21, seed=seed)
    for epoch in (0, 1):
        found = [p for step in range(batches.count) for p in read_back(batches.batch(epoch * batches.count + step))]
        assert sorted(found) == sorted(pairs)
