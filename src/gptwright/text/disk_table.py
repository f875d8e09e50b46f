"""Numbers by 64-bit keys, in a file without a name: what a corpus of any size makes one remember.

A table of slots, mapped into memory, where a key stands in the first free slot from the one that its lower bits say
on. What was not asked for of late the system keeps on the disk, so memory is taken as there is some.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from gptwright.text.disk_file import nameless_file

Keys = npt.NDArray[np.uint64]
Values = npt.NDArray[np.int32]
MISSING = -1
FIRST_SLOTS = 2**12
FULLEST = 0.5


class DiskTable:
    """Values (int32, from 0 on) by keys that are spread evenly, 24 to 48 bytes a key: below `folder`, or where the
    system has its temporary files."""

    def __init__(self, folder: Path | None = None, slots: int = FIRST_SLOTS) -> None:
        self._folder, self._count = folder, 0
        self._open(slots)

    def __len__(self) -> int:
        return self._count

    @property
    def slots(self) -> int:
        """12 bytes each."""
        return len(self._keys)

    def get(self, keys: Keys) -> Values:
        """The value of each key, `MISSING` where there is none."""
        return self._values[self._places(_without_zero(keys))]

    def put(self, keys: Keys, values: Values) -> None:
        """Sets the values of keys, each of which is there once."""
        places = self._claim(keys)  # which may open another table
        self._values[places] = values

    def count(self, keys: Keys) -> Values:
        """How often each key, each of which is there once, was counted before; each was now once more."""
        places = self._claim(keys)
        before = np.maximum(self._values[places], 0)
        self._values[places] = before + 1
        return before

    def _claim(self, keys: Keys) -> npt.NDArray[np.int64]:
        """The slot of each key, which stands there from then on."""
        while self._count + len(keys) > FULLEST * len(self._keys):
            self._grow()
        keys = _without_zero(keys)
        places = self._places(keys)
        new = np.flatnonzero(self._keys[places] == 0)
        while len(new):  # two of them may have met in one slot: the second goes on
            _, first = np.unique(places[new], return_index=True)
            self._keys[places[new[first]]] = keys[new[first]]
            self._count += len(first)
            new = np.delete(new, first)
            places[new] = self._places(keys[new])
        return places

    def _places(self, keys: Keys) -> npt.NDArray[np.int64]:
        """The slot of each key, or the free one in which it would stand."""
        places = (keys & np.uint64(self._mask)).astype(np.int64)
        waiting = np.arange(len(keys))
        while len(waiting):
            there = self._keys[places[waiting]]
            waiting = waiting[(there != 0) & (there != keys[waiting])]
            places[waiting] = (places[waiting] + 1) & self._mask
        return places

    def _open(self, slots: int) -> None:
        with nameless_file(self._folder, 12 * slots) as file:
            self._keys = np.asarray(np.memmap(file, np.uint64, "r+", 0, (slots,)))
            self._values = np.asarray(np.memmap(file, np.int32, "r+", 8 * slots, (slots,)))
        self._values[:] = MISSING
        self._mask = slots - 1

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._open(2 * len(keys))
        self._count = 0
        for start in range(0, len(keys), FIRST_SLOTS):
            some = np.array(keys[start : start + FIRST_SLOTS])
            there = some != 0
            self.put(some[there], np.array(values[start : start + FIRST_SLOTS])[there])


def _without_zero(keys: Keys) -> Keys:
    """0 is the mark of a free slot."""
    return np.where(keys == 0, np.uint64(1), keys)
