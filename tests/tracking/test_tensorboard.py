from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gptwright.tracking.tracker import open_trackers


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_what_is_logged_is_read_back_and_steps_done_again_are_hidden(tmp_path: Path) -> None:
    for steps, size in ((range(1, 6), 1.0), (range(4, 8), 2.0)):
        (tracker,) = open_trackers(["tensorboard"], tmp_path, {})
        for step in steps:
            tracker.log(step, {"loss_nats": size * step, "rate": 0.5})
        tracker.close()
    found = curve(tmp_path / "tracking" / "tensorboard", "loss_nats")
    assert found == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 8.0), (5, 10.0), (6, 12.0), (7, 14.0)]


def test_without_a_figure_there_is_no_file(tmp_path: Path) -> None:
    open_trackers(["tensorboard"], tmp_path, {})[0].close()
    assert list(tmp_path.iterdir()) == []
