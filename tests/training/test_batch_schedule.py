import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ConfigError
from gptwright.training.batch_schedule import BatchSizeSchedule


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 900))
def test_it_is_the_line_read_step_by_step(first: int, more: int, over: int) -> None:
    full = first + more
    batch_schedule, read = BatchSizeSchedule(full, first, over), 0
    for step in range(120):
        expected = first + more * read // over if read < over else full
        assert batch_schedule.rows(step) == expected
        assert batch_schedule.before(step) == read
        read += expected


def test_without_a_ramp_all_steps_are_full() -> None:
    batch_schedule = BatchSizeSchedule(5)
    assert [batch_schedule.rows(step) for step in (0, 1, 900)] == [5, 5, 5]
    assert [batch_schedule.before(step) for step in (0, 1, 900)] == [0, 5, 4500]


def test_gpt_3s_own_in_windows_of_2048() -> None:
    # 32k tokens to 3.2M over 12 billion (App. B): 16 to 1,562 rows over 5,859,375.
    batch_schedule = BatchSizeSchedule(1562, 16, 5_859_375)
    assert batch_schedule.rows(0) == 16 and batch_schedule.rows(10**6) == 1562
    assert (
        batch_schedule.rows(236) == 16 and batch_schedule.rows(237) == 17
    )  # a row more after 5,859,375 / 1,546 = 3,790.02 rows
    steps = next(step for step in range(10**6) if batch_schedule.rows(step) == 1562)
    assert batch_schedule.before(steps) == pytest.approx(5_859_375, rel=1e-3)


@pytest.mark.parametrize("first", [0, 6])
def test_what_no_ramp_can_be(first: int) -> None:
    with pytest.raises(ConfigError, match="1 to 5 rows"):
        BatchSizeSchedule(5, first)
