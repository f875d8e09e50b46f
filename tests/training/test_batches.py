from collections import Counter
from itertools import pairwise
from math import factorial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.text.pack import TokenFile, pack
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.batches import EXACT, Windows, epoch_order, key, permutation, shuffled


@settings(max_examples=40)
@given(st.integers(1, 700), st.integers(0, 2**64 - 1))
def test_shuffled_is_a_permutation_of_any_size(size: int, seed: int) -> None:
    assert sorted(shuffled(i, size, seed) for i in range(size)) == list(range(size))


def chi_square(counts: npt.ArrayLike) -> float:
    """How far counts are from equal ones, in standard deviations of what chance does."""
    seen = np.asarray(counts).ravel()
    free, expected = len(seen) - 1, seen.mean()
    return float((((seen - expected) ** 2 / expected).sum() - free) / (2 * free) ** 0.5)


@pytest.mark.parametrize("size", range(2, 8))
def test_of_few_things_every_order_is_equally_likely(size: int) -> None:
    rounds = max(400, 14 * factorial(size))
    orders = Counter(tuple(permutation(size, key("orders", n))) for n in range(rounds))
    assert len(orders) == factorial(size)
    assert abs(chi_square(list(orders.values()))) < 4
    assert orders[tuple(range(size))] < 4 * rounds / factorial(size), "none is kept more often"


@pytest.mark.parametrize("size", [8, 31, 100, EXACT + 1, 20_000, 1 << 20])
def test_every_thing_goes_to_every_place_equally_often(size: int) -> None:
    for first, second in ((0, 1), (size // 2, size - 1)):
        counts = np.zeros((8, 8))
        for n in range(2000):
            a, b = (shuffled(i, size, key("places", n)) * 8 // size for i in (first, second))
            counts[a, b] += 1
        expected = np.bincount([place * 8 // size for place in range(size)]) / size * 2000
        for side in (counts.sum(1), counts.sum(0)):
            assert ((side - expected) ** 2 / expected).sum() < 30, "0.9999 of chance with 7 degrees of freedom"
        if size > 1000:
            assert abs(chi_square(counts)) < 4, "also of two together"


def test_a_shuffle_is_the_same_on_every_machine() -> None:
    assert [shuffled(i, 7, 1) for i in range(7)] == permutation(7, 1) == [0, 5, 3, 2, 1, 4, 6]
    assert [shuffled(i, EXACT + 1, key(1)) for i in range(4)] == [837, 3926, 927, 330]


def test_neighbours_are_torn_apart_and_seeds_differ() -> None:
    order = [shuffled(i, 1000, key(1)) for i in range(1000)]
    assert order != [shuffled(i, 1000, key(2)) for i in range(1000)]
    assert sum(abs(a - b) == 1 for a, b in pairwise(order)) < 20
    assert 300 < np.mean(np.abs(np.diff(order))) < 366, "a third of the size is what chance gives"


def test_a_key_is_the_same_everywhere_and_tells_parts_apart() -> None:
    assert key(1, 0, "shift") == 4978141076925770034
    assert len({key(), key(1), key("1"), key(1, 1), key(11), key((1, 1))}) == 6


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 9))
def test_every_thing_comes_once_an_epoch(count: int, take: int, seed: int) -> None:
    numbers = [i for step in range(count) for i in epoch_order(count, take, step, seed)]
    assert Counter(numbers) == {i: take for i in range(count)}
    assert sorted(numbers[:count]) == list(range(count))


def token_file(folder: Path, count: int) -> TokenFile:
    """The tokens 0, 1, 2, …, so that a token says where it stands."""
    pack(["x"], lambda texts: [list(range(count - 1))], count - 1, folder / "v1", count, "ab")
    return TokenFile.open(folder / "v1")


@pytest.mark.parametrize("count", [13, 100, 101, 107])
def test_windows_of_an_epoch_cover_the_text_once(tmp_path: Path, count: int) -> None:
    windows = Windows(token_file(tmp_path, count), length=6, rows=1, seed=3)
    starts: set[int] = set()
    for epoch in range(4):
        inputs, targets, _ = zip(*(windows.batch(epoch * windows.count + i) for i in range(windows.count)), strict=True)
        seen = torch.cat(inputs).flatten().sort().values
        assert torch.equal(seen, torch.arange(int(seen[0]), int(seen[0]) + 6 * windows.count)), (
            "each once, without gaps"
        )
        assert all(torch.equal(x + 1, y) for x, y in zip(inputs, targets, strict=True))
        starts.add(int(seen[0]))
    assert len(starts) > 1, "epochs are cut at different places"


def test_a_batch_is_a_pure_function_of_seed_and_step(tmp_path: Path) -> None:
    tokens = token_file(tmp_path, 500)
    one, same, other = (Windows(tokens, 10, 4, seed) for seed in (1, 1, 2))
    one.batch(0)
    assert torch.equal(one.batch(7)[0], same.batch(7)[0])
    assert not torch.equal(one.batch(7)[0], other.batch(7)[0])
    assert one.batch(7)[0].shape == one.batch(7)[1].shape == (4, 10)


def test_too_little_text(tmp_path: Path) -> None:
    assert Windows(token_file(tmp_path, 13), length=6, rows=2, seed=0).count == 1
    with pytest.raises(InputError, match=r"at least 13 tokens.* got 12"):
        Windows(token_file(tmp_path, 12), length=6, rows=2, seed=0)


def test_a_growing_batch_reads_the_same_windows_in_the_same_order(tmp_path: Path) -> None:
    tokens = token_file(tmp_path, 500)
    steady, growing = Windows(tokens, 10, 1, 1), Windows(tokens, 10, BatchSizeSchedule(6, 2, over=40), 1)
    sizes = [len(growing.batch(step)[0]) for step in range(20)]
    assert sizes[0] == 2 and sizes[-1] == 6 and sizes == sorted(sizes)
    grown = torch.cat([growing.batch(step)[0] for step in range(20)])
    assert torch.equal(grown, torch.cat([steady.batch(number)[0] for number in range(sum(sizes))]))
