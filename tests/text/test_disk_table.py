"""The table says what a dictionary says, whatever the keys, and takes few bytes a key."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gptwright.text.disk_table import MISSING, DiskTable


@pytest.mark.parametrize("spread", [2**64 - 1, 4_000, 2**20])
def test_it_is_a_dictionary(spread: int, tmp_path: Path) -> None:
    dice, known = np.random.Generator(np.random.PCG64(spread)), dict[int, int]()
    table = DiskTable(tmp_path, slots=8)
    for _ in range(300):
        keys = np.unique(dice.integers(0, spread, 20, np.uint64, endpoint=True))
        keys = keys[keys != 1]  # which stands for 0
        assert table.get(keys).tolist() == [known.get(key, MISSING) for key in keys.tolist()]
        values = dice.integers(0, 2**31, len(keys)).astype(np.int32)
        table.put(keys, values)
        known |= zip(keys.tolist(), values.tolist(), strict=True)
    assert len(table) == len(known)
    every = np.array(list(known), np.uint64)
    assert table.get(every).tolist() == list(known.values())


def test_keys_that_begin_at_one_slot_stand_behind_each_other() -> None:
    keys = np.arange(1, 200, dtype=np.uint64) << np.uint64(40)
    table = DiskTable(slots=16)
    table.put(keys, np.arange(len(keys), dtype=np.int32))
    assert table.get(keys).tolist() == list(range(len(keys)))
    assert table.get(keys + np.uint64(1)).tolist() == [MISSING] * len(keys)


def test_it_counts(tmp_path: Path) -> None:
    dice, known = np.random.Generator(np.random.PCG64(1)), Counter[int]()
    table = DiskTable(tmp_path, slots=8)
    for _ in range(300):
        keys = np.unique(dice.integers(2, 900, 20, np.uint64))
        assert table.count(keys).tolist() == [known[key] for key in keys.tolist()]
        known.update(keys.tolist())
    assert len(table) == len(known)


def test_nothing_is_asked_and_nothing_put() -> None:
    nothing = np.zeros(0, np.uint64)
    table = DiskTable()
    table.put(nothing, nothing.astype(np.int32))
    assert len(table) == 0 and len(table.get(nothing)) == 0


def test_it_leaves_no_file_and_takes_at_most_48_bytes_a_key(tmp_path: Path) -> None:
    keys = np.random.Generator(np.random.PCG64(1)).integers(1, 2**63, 50_000, np.uint64)
    table = DiskTable(tmp_path)
    for start in range(0, len(keys), 1_000):
        table.put(keys[start : start + 1_000], np.ones(1_000, np.int32))
        assert start < 10_000 or 12 * table.slots <= 48 * len(table)
    assert list(tmp_path.iterdir()) == []
