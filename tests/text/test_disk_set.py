"""The set says what a set in memory says, and leaves no file."""

import random
from pathlib import Path

import pytest

from gptwright.text.disk_set import FIRST_SLOTS, WIDTH, DiskSet


@pytest.mark.parametrize("width", [1, 2, WIDTH])
def test_it_is_a_set(width: int, tmp_path: Path) -> None:
    """Of few first bytes many digests begin at one slot and stand behind each other."""
    dice, known = random.Random(width), set[bytes]()
    found = DiskSet(tmp_path, slots=8)
    for _ in range(3_000):
        digest = b"x" + bytes(7 - min(width - 1, 7)) + dice.randbytes(width + 7)
        digest = digest[:WIDTH].ljust(WIDTH, b"y")
        assert (digest in found) == (digest in known)
        if dice.random() < 0.7:
            found.add(digest)
            known.add(digest)
    assert len(found) == len(known) and all(digest in found for digest in known)
    assert list(tmp_path.iterdir()) == []


def test_it_holds_more_than_it_began_with() -> None:
    found = DiskSet()
    digests = [random.Random(i).randbytes(WIDTH) for i in range(3 * FIRST_SLOTS)]
    for digest in digests:
        found.add(digest)
        found.add(digest)
    assert len(found) == len(digests) and all(digest in found for digest in digests)
    assert bytes(WIDTH - 1) + b"z" not in found
