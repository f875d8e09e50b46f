from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.heldout import HeldoutSplit, assign_splits, normalised

Line = dict[str, Any]
LINES = st.lists(
    st.fixed_dictionaries({"p": st.sampled_from("abcdefgh"), "s": st.sampled_from([None, "train", "heldout"])})
)


def sides(*files: list[Line], **settings: Any) -> HeldoutSplit[Line]:
    return assign_splits(files, lambda line: line["p"], lambda line: line.get("s"), **settings)


def prompts(lines: list[Line]) -> set[str]:
    return {normalised(line["p"]) for line in lines}


@given(st.lists(LINES, min_size=1, max_size=3))
def test_no_prompt_stands_on_both_sides_and_every_line_is_counted(files: list[list[Line]]) -> None:
    found = sides(*files)
    lines = [line for file in files for line in file]
    assert not prompts(found.train) & prompts(found.heldout)
    assert len(found.train) + len(found.heldout) + found.left_out == len(lines)
    assert all(line in found.heldout for line in lines if line["s"] == "heldout")
    if len(prompts(lines)) > 1 and any(line["s"] != "heldout" for line in lines):
        assert found.heldout


def test_the_same_prompt_falls_on_the_same_side_in_every_file_and_order() -> None:
    one, two = ([{"p": f"Question {i}", "n": n} for i in range(400)] for n in range(2))
    both = sides(one, two[::-1])
    assert prompts(both.heldout) == prompts(sides(one).heldout) == prompts(sides(two[::-1]).heldout)
    assert Counter(line["n"] for line in both.heldout)[0] == len(both.heldout) / 2
    assert abs(len(both.heldout) / 800 - 0.1) < 3 * (0.09 / 400) ** 0.5
    order = [line["p"] for line in one]
    places = [order.index(line["p"]) for line in sides(one).heldout]
    assert max(places) > 300 and min(places) < 100, "not the first tenth"


@pytest.mark.parametrize("other", ["question  1 ", "QUESTION 1", "\uff31uestion\n1", "Question\u00a01"])
def test_ways_to_write_a_prompt_are_one(other: str) -> None:
    found = sides([{"p": "Question 1", "s": "heldout"}, {"p": "Question 2"}], [{"p": other, "s": "train"}])
    assert found.left_out == 1 and [line["p"] for line in found.train] == ["Question 2"]


def test_what_a_file_says_counts() -> None:
    marked = [{"p": f"a{i}", "s": "heldout" if i == 7 else None} for i in range(200)]
    found = sides(marked, [{"p": f"b{i}", "s": "train"} for i in range(200)])
    assert [line["p"] for line in found.heldout] == ["a7"] and len(found.train) == 399


def test_a_file_that_says_nothing_gives_its_share_beside_one_that_does() -> None:
    marked = [{"p": f"a{i}", "s": "heldout" if i == 7 else "train"} for i in range(20)]
    found = sides(marked, [{"p": f"b{i}"} for i in range(200)])
    assert 5 < sum(line["p"].startswith("b") for line in found.heldout) < 40


def test_where_all_lines_say_train_a_tenth_is_held_out_all_the_same() -> None:
    found = sides([{"p": f"a{i}", "s": "train"} for i in range(200)])
    assert 5 < len(found.heldout) < 40 and found.left_out == 0


@pytest.mark.parametrize("count", range(2, 12))
def test_neither_side_stays_empty(count: int) -> None:
    for share in (0.001, 0.1, 0.999):
        found = sides([{"p": f"{count}.{i}"} for i in range(count)], heldout_fraction=share)
        assert found.train and found.heldout


def test_one_prompt_cannot_be_on_both_sides() -> None:
    assert sides([{"p": "a"}, {"p": "A"}]) == HeldoutSplit([{"p": "a"}, {"p": "A"}], [], 0)
    assert sides([]) == HeldoutSplit([], [], 0)
