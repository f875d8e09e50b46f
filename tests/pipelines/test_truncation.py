"""Old turns go, whole ones and no more than must; the system message and the last question stay."""

from itertools import pairwise
from typing import Any

import pytest

from gptwright.pipelines.truncation import drop_oldest_turns, nearest_to_hole, room_for_prompt
from gptwright.tokenizers.chat_templates.chat import Message


def said(role: str, words: int) -> Message:
    return Message(role=role, content=" ".join([role] * words))


def words(messages: Any) -> int:
    return sum(len(message["content"].split()) for message in messages)


SYSTEM = said("system", 5)
TURNS = [said(role, 10) for _ in range(20) for role in ("user", "assistant")]


def test_what_fits_is_left_alone_and_counted_once() -> None:
    counted: list[int] = []

    def count(messages: Any) -> int:
        counted.append(words(messages))
        return counted[-1]

    messages = [SYSTEM, *TURNS[:4]]
    assert drop_oldest_turns(messages, count, 45) == messages and counted == [45]


@pytest.mark.parametrize("system", [[], [SYSTEM], [SYSTEM, said("system", 3)]])
@pytest.mark.parametrize("most", [10, 11, 30, 31, 57, 100, 409, 410])
def test_as_few_whole_turns_go_as_must(system: list[Message], most: int) -> None:
    messages = [*system, *TURNS, said("user", 10)]
    found = drop_oldest_turns(messages, words, most)
    assert found[: len(system)] == system and found[-1] == messages[-1] and found[len(system)]["role"] == "user"
    assert found[len(system) :] == messages[len(messages) - len(found) + len(system) :]
    if len(found) > len(system) + 1:
        assert words(found) <= most
    if len(found) < len(messages):
        assert words(found) + 20 > most, "another turn would not have fitted"


def test_a_last_turn_that_is_too_long_stays() -> None:
    long = said("user", 500)
    assert drop_oldest_turns([SYSTEM, *TURNS, long], words, 50) == [SYSTEM, long]
    assert drop_oldest_turns([long], words, 50) == [long]
    assert drop_oldest_turns([SYSTEM], words, 1) == [SYSTEM]


def test_turns_of_several_messages_and_conversations_that_begin_with_the_assistant() -> None:
    odd = [said("assistant", 10), said("user", 10), said("user", 10), said("assistant", 10), said("user", 10)]
    assert drop_oldest_turns(odd, words, 40) == odd[1:]
    assert drop_oldest_turns(odd, words, 30) == odd[2:]
    assert drop_oldest_turns(odd, words, 29) == odd[4:]
    assert drop_oldest_turns([said("assistant", 10)] * 3, words, 5) == [said("assistant", 10)] * 3


def test_it_takes_few_readings_of_a_long_conversation() -> None:
    counted = 0

    def count(messages: Any) -> int:
        nonlocal counted
        counted += 1
        return words(messages)

    assert len(drop_oldest_turns([SYSTEM, *TURNS * 250, said("user", 10)], count, 95)) == 10
    assert counted < 20


def test_a_reply_has_room_up_to_a_quarter_of_the_context() -> None:
    assert [room_for_prompt(256, most) for most in (0, 1, 40, 64, 100, 10_000)] == [255, 255, 216, 192, 192, 192]
    assert room_for_prompt(2, 100) == 1
    assert all(a >= b for a, b in pairwise(room_for_prompt(100, most) for most in range(200)))


@pytest.mark.parametrize(
    ("lengths", "room", "kept"),
    [((3, 4, 5), 12, (3, 4, 5)), ((3, 4, 5), 11, (2, 4, 5)), ((3, 4, 5), 8, (0, 4, 4)), ((0, 100, 100), 8, (0, 6, 2)),
     ((9, 1, 100), 8, (0, 1, 7)), ((9, 100, 1), 8, (0, 7, 1)), ((9, 0, 0), 4, (4, 0, 0)), ((1, 1, 1), 0, (0, 0, 0))],
)  # fmt: skip
def test_of_a_file_what_is_nearest_to_the_hole(
    lengths: tuple[int, int, int], room: int, kept: tuple[int, int, int]
) -> None:
    before, prefix, suffix = (list(range(length)) for length in lengths)
    ends = before[len(before) - kept[0] :], prefix[len(prefix) - kept[1] :], suffix[: kept[2]]
    assert nearest_to_hole(before, prefix, suffix, room) == ends
