from dataclasses import asdict
from json import dumps, loads

import pytest

from gptwright.training.train_state import ENOUGH, FACTOR, LAST, Course

NAN, INF = float("nan"), float("inf")


def after(norms: list[float], clip: float = 1.0) -> Course:
    course = Course()
    for norm, _ in zip(norms, course.steps(10**9), strict=False):
        course.note(norm, course.limit(clip))
    return course


def test_steps_are_counted_as_they_begin() -> None:
    course = Course(done=3)
    assert [(number, course.done) for number in course.steps(6)] == [(3, 4), (4, 5), (5, 6)]


def test_the_first_steps_are_all_taken_whatever_their_norms() -> None:
    course = after([10.0**i for i in range(ENOUGH - 1)])
    assert course.bad == 0 and course.limit(1.0) == INF


@pytest.mark.parametrize(
    ("usual", "clip", "limit"), [(3.0, 1.0, 3 * FACTOR), (0.01, 1.0, FACTOR), (0.01, 0.5, FACTOR / 2)]
)
def test_the_limit_is_many_times_what_is_usual_or_what_clipping_leaves(usual: float, clip: float, limit: float) -> None:
    assert after([usual] * ENOUGH).limit(clip) == pytest.approx(limit)


def test_one_that_is_not_taken_moves_nothing_and_one_that_is_ends_the_row() -> None:
    course = after([1.0] * ENOUGH)
    for number, norm in enumerate((NAN, INF, FACTOR, 1e9), 1):
        course.note(norm, course.limit(1.0))
        assert course.bad == number and course.limit(1.0) == FACTOR
    course.note(FACTOR * 0.99, course.limit(1.0))
    assert course.bad == 0


def test_only_the_last_norms_are_remembered() -> None:
    course = after([100.0] * LAST + [2.0] * LAST)
    assert course.norms == [2.0] * LAST


def test_a_table_of_json_holds_it_whole() -> None:
    course = after([0.1 * i for i in range(90)])
    assert Course(**loads(dumps(asdict(course)))) == course


def test_going_back_passes_over_the_batches_that_came_since() -> None:
    course, saved = Course(done=20, passed=3, bad=5), Course(done=12, passed=3, norms=[1.0])
    course.back_to(saved)
    assert (course.done, course.passed, course.bad, course.norms) == (12, 11, 0, [1.0])
    assert course.done + course.passed == 20 + 3, "the next batch is the one behind the last that was read"


def test_going_back_is_forgotten_when_the_run_gets_further() -> None:
    course = Course(done=20)
    course.back_to(Course(done=18))
    for step in course.steps(22):
        course.note(1.0, INF)
        assert course.rollbacks == (1 if step < 20 else 0)
