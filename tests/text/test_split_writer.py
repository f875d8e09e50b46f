"""Whoever may change splits is remembered only as far as anybody would have to."""

import random

from gptwright.text.split_writer import MIN_SPLIT, SpareDocuments


def test_the_least_ranks_that_are_enough_are_kept() -> None:
    dice, spare = random.Random(1), SpareDocuments()
    given = [(dice.choice([dice.random(), 0.5]), line, dice.randint(1, 400)) for line in range(2_000)]
    for number, each in enumerate(given, 1):
        spare.add(*each)
        expected, characters = list[tuple[int, int]](), 0
        for _, line, length in sorted(given[:number]) if number % 97 == 0 or number < 20 else ():
            if characters < MIN_SPLIT:
                expected.append((line, length))
                characters += length
        assert not expected or spare.in_order() == expected
    spare.clear()
    assert spare.in_order() == []
    spare.add(0.5, 7, 10)
    assert spare.in_order() == [(7, 10)]
