import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.inference.prompt_lookup import RequestLookup

texts = st.lists(st.integers(0, 3), max_size=60)


def plainly(ids: list[int], many: int) -> list[int]:
    """Searches the whole text anew: the longest ending that came before, where it came last."""
    for length in (4, 3, 2):
        for at in range(len(ids) - 1, length - 1, -1):
            if len(ids) > length and ids[at - length : at] == ids[-length:]:
                copy = list(ids)
                for place in range(at, at + many):
                    copy.append(copy[place])
                return copy[len(ids) :]
    return []


@given(texts, st.lists(st.integers(1, 9), max_size=9))
def test_what_is_proposed_is_what_a_search_of_the_whole_text_finds(ids: list[int], steps: list[int]) -> None:
    lookup, end = RequestLookup(4), 0
    for step in [*steps, len(ids)]:
        end = min(end + step, len(ids))
        assert lookup.propose(ids[:end]) == plainly(ids[:end], 4)


@pytest.mark.parametrize(
    ("ids", "proposed"),
    [
        ([], []),
        ([1], []),
        ([1, 1], []),
        ([1, 2, 3, 1, 2], [3, 1, 2, 3]),
        ([1, 2, 7, 9, 9, 9, 1, 2, 8, 9, 1, 2], [8, 9, 1, 2]),
        ([5, 5, 5], [5, 5, 5, 5]),
        ([1, 2, 3, 4, 7, 3, 4, 8, 1, 2, 3, 4], [7, 3, 4, 8]),
    ],
)
def test_by_hand(ids: list[int], proposed: list[int]) -> None:
    assert RequestLookup(4).propose(ids) == proposed


def written(text: list[int], start: int, most: int = 8) -> tuple[int, int]:
    """Steps that writing text[start:] took, and proposals made."""
    lookup, end, steps, made = RequestLookup(most), start, 0, 0
    while end < len(text):
        drafts = lookup.propose(text[:end])
        right = next((i for i, draft in enumerate(drafts) if text[end + i : end + i + 1] != [draft]), len(drafts))
        lookup.record_acceptance(len(drafts), right)
        steps, made, end = steps + 1, made + len(drafts), end + right + 1
    return steps, made


def test_a_copied_text_takes_few_steps() -> None:
    numbers = random.Random(1)
    document = [numbers.randrange(1000) for _ in range(300)]
    steps, _ = written([*document, *document], 300)
    assert steps < 300 / 7


def test_where_guesses_are_wrong_little_is_proposed() -> None:
    numbers = random.Random(1)
    text = [numbers.randrange(3) for _ in range(2000)]  # every pair came before; what follows is left to chance
    _, made = written([(x + i * i) % 7 if i % 3 else x for i, x in enumerate(text)], 100)
    assert made < 0.2 * 1900
    endless = RequestLookup()
    proposals = 0
    for end in range(10, 2000):
        drafts = endless.propose([1, 2] * 5 + [1] * (end - 10))
        endless.record_acceptance(len(drafts), 0)
        proposals += len(drafts)
    assert proposals < 0.02 * 2000


def test_it_begins_again_when_guesses_come_true() -> None:
    lookup, ids = RequestLookup(8), [1, 2] * 20
    for _ in range(9):
        lookup.record_acceptance(len(lookup.propose(ids)), 0)
        ids += [1, 2] * 64
    found: list[int] = []
    for _ in range(4):
        drafts = lookup.propose(ids)
        found.append(len(drafts))
        lookup.record_acceptance(len(drafts), len(drafts))
        ids += [1, 2] * 8
    assert found == [1, 2, 4, 8]


def test_nothing_was_proposed_and_nothing_changes() -> None:
    lookup = RequestLookup(4)
    lookup.record_acceptance(0, 0)
    assert lookup.propose([1, 2, 3, 1, 2]) == [3, 1, 2, 3]


def test_what_is_predicted_is_looked_up_too() -> None:
    lookup = RequestLookup(4, predicted=[7, 8, 9, 10, 11])
    assert lookup.propose([1, 2, 7, 8]) == [9, 10, 11, 1]
    assert lookup.propose([1, 2, 7, 8, 5]) == []
    assert RequestLookup(4).propose([1, 2, 7, 8]) == []
