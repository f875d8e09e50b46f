"""The measurement runs every kind of work on a tiny model; how long it takes is the machine's affair."""

from dataclasses import asdict

from gptwright.models.gpt2 import GPT2Config
from gptwright.recipes.measure import USUAL, Shape, measure, pretrain_seconds

TINY = GPT2Config(vocab=300, context=128, width=16, heads=2, layers=1)
SMALL = Shape(
    batch_size=2,
    sequence_length=16,
    conversations=2,
    ptx_batch_size=1,
    rankings=2,
    answers=2,
    episodes=4,
    epochs=1,
    minibatches=1,
    sft_batch_size=1,
    ppo_ptx_batch_size=1,
)


def test_every_speed_is_a_positive_number() -> None:
    speeds = asdict(measure(TINY, SMALL, 1e-9, seconds=1.0))
    assert all(0 < seconds < 60 for seconds in speeds.values())
    assert 0 < pretrain_seconds(TINY, SMALL, at_most=0.1) < 60


def test_what_there_is_no_time_to_measure_is_as_usual() -> None:
    assert asdict(measure(TINY, SMALL, 0.5, seconds=0.0)) == {
        name: 0.5 * usual for name, usual in asdict(USUAL).items()
    }
