from dataclasses import asdict
from json import dumps, loads

import pytest

from gptwright.training.train_state import ENOUGH, FACTOR, LAST, TrainState

NAN, INF = float("nan"), float("inf")


def after(norms: list[float], clip: float = 1.0) -> TrainState:
    train_state = TrainState()
    for norm, _ in zip(norms, train_state.steps(10**9), strict=False):
        train_state.record_norm(norm, train_state.limit(clip))
    return train_state


def test_steps_are_counted_as_they_begin() -> None:
    train_state = TrainState(done=3)
    assert [(number, train_state.done) for number in train_state.steps(6)] == [(3, 4), (4, 5), (5, 6)]


def test_the_first_steps_are_all_taken_whatever_their_norms() -> None:
    train_state = after([10.0**i for i in range(ENOUGH - 1)])
    assert train_state.bad == 0 and train_state.limit(1.0) == INF


@pytest.mark.parametrize(
    ("usual", "clip", "limit"), [(3.0, 1.0, 3 * FACTOR), (0.01, 1.0, FACTOR), (0.01, 0.5, FACTOR / 2)]
)
def test_the_limit_is_many_times_what_is_usual_or_what_clipping_leaves(usual: float, clip: float, limit: float) -> None:
    assert after([usual] * ENOUGH).limit(clip) == pytest.approx(limit)


def test_one_that_is_not_taken_moves_nothing_and_one_that_is_ends_the_row() -> None:
    train_state = after([1.0] * ENOUGH)
    for number, norm in enumerate((NAN, INF, FACTOR, 1e9), 1):
        train_state.record_norm(norm, train_state.limit(1.0))
        assert train_state.bad == number and train_state.limit(1.0) == FACTOR
    train_state.record_norm(FACTOR * 0.99, train_state.limit(1.0))
    assert train_state.bad == 0


def test_only_the_last_norms_are_remembered() -> None:
    train_state = after([100.0] * LAST + [2.0] * LAST)
    assert train_state.norms == [2.0] * LAST


def test_a_table_of_json_holds_it_whole() -> None:
    train_state = after([0.1 * i for i in range(90)])
    assert TrainState(**loads(dumps(asdict(train_state)))) == train_state


def test_going_back_passes_over_the_batches_that_came_since() -> None:
    train_state, saved = (
        TrainState(done=20, skipped_batches=3, bad=5),
        TrainState(done=12, skipped_batches=3, norms=[1.0]),
    )
    train_state.back_to(saved)
    assert (train_state.done, train_state.skipped_batches, train_state.bad, train_state.norms) == (12, 11, 0, [1.0])
    assert train_state.done + train_state.skipped_batches == 20 + 3, (
        "the next batch is the one behind the last that was read"
    )


def test_going_back_is_forgotten_when_the_run_gets_further() -> None:
    train_state = TrainState(done=20)
    train_state.back_to(TrainState(done=18))
    for step in train_state.steps(22):
        train_state.record_norm(1.0, INF)
        assert train_state.rollbacks == (1 if step < 20 else 0)
