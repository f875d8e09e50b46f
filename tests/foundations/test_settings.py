from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import Annotated, Any

import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Count, Range, Seed, numbers_of, settings


@settings
class Walk:
    steps: Count = 3
    rests: Amount = 0
    seed: Seed | None = None
    pace: Annotated[float, Range(0, 10, above=True)] = 1.5
    luck: Annotated[float, Range(0, 1, below=True)] = 0.5
    height: float = 0.0
    number: int = 0
    name: str = "x"
    alone: bool = True
    legs: tuple[Count, ...] = ()

    def __post_init__(self) -> None:
        if self.rests > self.steps:
            raise ConfigError("fewer rests than steps", f"{self.rests}", "Change it.")


def test_what_fits_is_taken() -> None:
    walk = Walk(steps=10**9, seed=0, pace=10, luck=0, height=-1e300, number=-5, legs=(1, 2))
    assert (walk.pace, walk.legs, walk.seed) == (10, (1, 2), 0)
    with pytest.raises(FrozenInstanceError):
        walk.steps = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Walk(3)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 0}, "steps from 1 to 1,000,000,000; got 0"),
        ({"steps": 10**9 + 1}, "steps from 1 to 1,000,000,000; got 1,000,000,001"),
        ({"steps": 10**26}, "steps from 1 to 1,000,000,000; got a number of some 26 digits"),
        ({"steps": 10**5000}, "got a number of some 5000 digits"),
        ({"steps": True}, "a whole number for steps; got True"),
        ({"steps": 2.0}, "a whole number for steps; got 2.0"),
        ({"steps": "x"}, "a whole number for steps; got 'x'"),
        ({"steps": None}, "a whole number for steps; got None"),
        ({"seed": -1}, "seed from 0 to 1,000,000,000,000,000,000; got -1"),
        ({"pace": 0}, "pace above 0 and at most 10; got 0"),
        ({"pace": nan}, "pace above 0 and at most 10; got nan"),
        ({"pace": inf}, "pace above 0 and at most 10; got inf"),
        ({"pace": 10**400}, "pace above 0 and at most 10; got a number of some 400 digits"),
        ({"pace": True}, "a number for pace; got True"),
        ({"luck": 1}, "luck from 0 to below 1; got 1"),
        ({"height": nan}, "height that is finite; got nan"),
        ({"height": -inf}, "height that is finite; got -inf"),
        ({"number": 2**63}, "number from"),
        ({"legs": (1, 0)}, "legs from 1 to 1,000,000,000; got 0"),
        ({"rests": 4}, "fewer rests than steps; got 4"),
    ],
)
def test_what_does_not_is_named_with_what_is_needed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Walk(**given)
    assert said in str(error.value)


def test_every_number_is_found_however_its_type_is_written() -> None:
    assert set(numbers_of(Walk)) == {"steps", "rests", "seed", "pace", "luck", "height", "number", "legs"}


def test_what_inherits_is_checked_too() -> None:
    class More(Walk):
        pass

    with pytest.raises(ConfigError, match="steps from 1"):
        More(steps=0)
